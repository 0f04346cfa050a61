"""The pages of a report's PDF: A4, her MRN and the date on every one, and the few things that a report is made of.

The typeface is DejaVu Sans, which comes with matplotlib: Latin with accents, Greek, Cyrillic, Hebrew and more. What it
lacks (Chinese, for one) is printed as □, and the report says so; the other formats hold every letter.
"""

from __future__ import annotations

import importlib.util
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from fpdf import FPDF
from fpdf.bidi import BidiParagraph
from fpdf.enums import MethodReturnValue, TableBordersLayout
from fpdf.fonts import FontFace, TTFFont

from core.palette import INK, MUTED, RULE
from core.reports.content import RESEARCH, Report

__all__ = ["BOTTOM", "LACKING", "MARGIN", "Pages"]

MARGIN, TOP, BOTTOM, BESIDE = 16.0, 20.0, 20.0, 38.0
LACKING = "□"

Row = Sequence[str]


@cache
def _fonts() -> Path:
    """Return the folder of the typeface; raises `FileNotFoundError` where matplotlib is not whole."""
    found = importlib.util.find_spec("matplotlib")
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError("matplotlib, which brings the typeface of the PDF, is not installed.")
    return Path(found.submodule_search_locations[0]) / "mpl-data" / "fonts" / "ttf"


def _is_of_the_right(text: str) -> bool:
    return any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in text)


def _turned(line: str) -> str:
    """Return one line as it is seen, from left to right."""
    return str(BidiParagraph(line).get_reordered_string())


class Pages(FPDF):
    """The pages: typeface, head and foot, and the few things that a report is made of."""

    def __init__(self, report: Report) -> None:
        super().__init__(format="A4")
        self.report = report
        self.lacking = False
        self.set_margins(MARGIN, TOP, MARGIN)
        self.c_margin = 0.0  # words begin where the lines between parts do
        self.set_auto_page_break(True, BOTTOM)
        self.add_font("DejaVu", "", _fonts() / "DejaVuSans.ttf")
        self.add_font("DejaVu", "B", _fonts() / "DejaVuSans-Bold.ttf")
        face = self.fonts["dejavu"]
        assert isinstance(face, TTFFont)
        self.known = frozenset(face.cmap)
        self.set_title(f"Report of the study of {report.on}, MRN {report.mrn}")
        self.set_subject(RESEARCH)
        self.set_creator("Longview")
        self.set_creation_date(report.made_at)
        self.set_lang("en")
        self.add_page()

    def told(self, text: object, *, turned: bool = True) -> str:
        """Return text from outside as this typeface can print it; `turned`: as one line, written from the right or not."""
        plain = unicodedata.normalize("NFC", str(text)).replace("\r\n", "\n").replace("\t", "    ")
        shown = "".join(self._letter(letter) for letter in plain)
        return _turned(shown) if turned and _is_of_the_right(shown) else shown

    def _letter(self, letter: str) -> str:
        if letter == "\n" or ord(letter) in self.known:
            return letter
        if unicodedata.category(letter) in ("Cc", "Cf", "Mn"):
            return ""
        self.lacking = True
        return LACKING

    def header(self) -> None:
        """Say on every page whose report it is."""
        report = self.report
        self.set_y(9)
        self.set_type(7.5, MUTED)
        mark = " · simulated" if report.simulated else ""
        # A long name is told whole on the first page.
        name, mrn = self.told(report.label), self.told(report.mrn)
        who = f"MRN {mrn}{mark}"
        line = f"{name} · {who}" if report.name else who
        while self.get_string_width(line) > self.epw - 40 and len(name) > 1:
            name = name[:-1]
            line = f"{name}… · {who}"
        self.cell(0, 4, line, align="L")
        self.set_x(MARGIN)
        self.cell(0, 4, f"study of {report.on}", align="R")
        self.set_draw_color(RULE)
        self.set_line_width(0.2)
        self.line(MARGIN, 14.5, self.w - MARGIN, 14.5)
        self.set_y(TOP)

    def footer(self) -> None:
        """Say on every page what it is not for, when it was made, and which page of how many it is."""
        self.set_y(-15)
        self.set_type(7, MUTED)
        self.set_draw_color(RULE)
        self.set_line_width(0.2)
        self.line(MARGIN, self.h - 16, self.w - MARGIN, self.h - 16)
        statement = self.told(self.report.said.statement)
        if self.get_string_width(statement) > self.epw - 60:
            statement = RESEARCH
        self.cell(0, 4, statement)
        place = f"made {self.report.made_at:%Y-%m-%d} · page {self.page_no()} of {{nb}}"
        # The number of pages is put in at the end, for {nb}: that stands for about one digit.
        self.set_x(self.w - MARGIN - self.get_string_width(place.replace("{nb}", "0")))
        self.cell(0, 4, place)

    @property
    def room(self) -> float:
        """Return how many mm are left on this page."""
        return self.page_break_trigger - self.get_y()

    def set_type(self, points: float, colour: str = INK, *, bold: bool = False) -> None:
        """Print what follows in the typeface, so large and in that colour."""
        self.set_font("DejaVu", "B" if bold else "", points)
        self.set_text_color(colour)

    def heading(self, text: str, *, room: float = 22) -> None:
        """Begin a part; it goes to the next page where fewer than `room` mm are left."""
        if self.will_page_break(room):
            self.add_page()
        self.ln(2.5)
        self.set_type(10.5, bold=True)
        self.cell(0, 6, text, new_x="LMARGIN", new_y="NEXT")
        self.set_draw_color(RULE)
        self.set_line_width(0.2)
        self.line(MARGIN, self.get_y(), self.w - MARGIN, self.get_y())
        self.ln(1.2)

    def paragraph(self, text: object, *, muted: bool = False, bold: bool = False, size: float = 9) -> None:
        """Print a text, over as many lines and pages as it takes."""
        self.set_type(size, MUTED if muted else INK, bold=bold)
        self.lines(text, size * 0.52)
        self.ln(0.6)

    def lines(self, text: object, height: float) -> None:
        """Print words from outside, line by line where they are written from the right: each line is turned by itself."""
        shown = self.told(text, turned=False)
        if not _is_of_the_right(shown):
            self.multi_cell(0, height, shown, align="L", new_x="LMARGIN", new_y="NEXT")
            return
        parted = self.multi_cell(0, height, shown, align="L", dry_run=True, output=MethodReturnValue.LINES)
        assert isinstance(parted, list)
        for line in parted:
            self.cell(0, height, _turned(str(line)), new_x="LMARGIN", new_y="NEXT")

    def part(self, what: str, *paragraphs: tuple[str, bool, bool]) -> None:
        """Print a short part: its name at the left, beside it texts, each with whether it is bold and whether muted."""
        if self.will_page_break(12):
            self.add_page()
        self.ln(1.2)
        self.set_draw_color(RULE)
        self.set_line_width(0.2)
        self.line(MARGIN, self.get_y(), self.w - MARGIN, self.get_y())
        self.ln(1.2)
        self.set_type(9, bold=True)
        self.cell(BESIDE, 4.7, what)
        self.set_left_margin(MARGIN + BESIDE)
        self.set_x(MARGIN + BESIDE)
        for text, bold, muted in paragraphs:
            self.paragraph(text, bold=bold, muted=muted, size=8 if muted else 9)
        self.set_left_margin(MARGIN)
        self.set_x(MARGIN)

    def fact(self, what: str, said: str) -> None:
        """Print a fact beside its name."""
        self.set_type(9, MUTED)
        self.cell(BESIDE, 4.8, what)
        self.set_type(9)
        self.set_left_margin(MARGIN + BESIDE)
        self.lines(said, 4.8)
        self.set_left_margin(MARGIN)
        self.set_x(MARGIN)

    def rows(
        self, head: Row, rows: Sequence[Row], widths: Sequence[float], right: Sequence[int] = ()
    ) -> None:
        """Print a table of short cells; its head stands again on the next page. `right` are columns of numbers."""
        self.set_type(8.5)
        self.set_draw_color(227, 231, 235)
        self.set_fill_color(255, 255, 255)
        align = tuple("RIGHT" if column in right else "LEFT" for column in range(len(head)))
        with self.table(
            col_widths=tuple(widths),
            text_align=align,
            line_height=4.4,
            padding=(0.6, 2.5, 0.6, 0),
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            headings_style=FontFace(emphasis="", color=MUTED),
        ) as table:
            for row in (head, *rows):
                line = table.row()
                for text in row:
                    line.cell(self.told(text))
        self.ln(1)

    def done(self) -> bytes:
        """Return the file."""
        return bytes(self.output())
