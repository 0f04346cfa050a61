"""A report as a PDF for the tumour board: A4, in the order of BI-RADS, her MRN and the date on every page.

The typeface is DejaVu Sans, which comes with matplotlib: Latin with accents, Greek, Cyrillic, Hebrew and more. What it
lacks (Chinese, for one) is printed as □, and the report says so; the other formats hold every letter.
"""

from __future__ import annotations

import importlib.util
import io
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from fpdf import FPDF
from fpdf.bidi import BidiParagraph
from fpdf.enums import MethodReturnValue, TableBordersLayout
from fpdf.fonts import FontFace, TTFFont
from fpdf.util import Padding

from core.reports.content import NOT_ASSESSED, RESEARCH, SIMULATED, Report
from core.reports.pictures import Picture
from core.reports.trend import Drawing, draw_course, said
from core.rules.vocabulary import SIDE_WORDS, density_name
from core.wording import UNKNOWN, interval, length, moment, percent

__all__ = ["render_pdf"]

INK, MUTED, LINE = (31, 41, 55), (91, 102, 117), (197, 204, 212)
ACCENT, LEAD, BADGE = (11, 92, 138), (244, 246, 248), (91, 62, 138)
MARGIN, TOP, BOTTOM, BESIDE = 16.0, 20.0, 20.0, 38.0
LACKING = "□"
HEADED = 12.0
"""What a heading takes above the figure of the course, in mm."""
LOWEST, HIGHEST = 40.0, 58.0
"""How high a picture is, in mm."""

Row = Sequence[str]


def render_pdf(report: Report, now: Sequence[Picture], prior: Sequence[Picture]) -> bytes:
    """Return the report as a PDF."""
    pages = _Pages(report)
    _head(pages, report)
    _in_bi_rads_order(pages, report)
    _model(pages, report)
    _course(pages, report)
    _pictures(pages, report, now, prior)
    _lesions(pages, report)
    _alerts_and_events(pages, report)
    _log(pages, report)
    _closing(pages, report)
    return pages.done()


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


class _Pages(FPDF):
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
        self._type(7.5, MUTED)
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
        self.set_draw_color(*LINE)
        self.set_line_width(0.2)
        self.line(MARGIN, 14.5, self.w - MARGIN, 14.5)
        self.set_y(TOP)

    def footer(self) -> None:
        """Say on every page what it is not for, when it was made, and which page of how many it is."""
        self.set_y(-15)
        self._type(7, MUTED)
        self.set_draw_color(*LINE)
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

    def _type(self, points: float, colour: tuple[int, int, int] = INK, *, bold: bool = False) -> None:
        self.set_font("DejaVu", "B" if bold else "", points)
        self.set_text_color(*colour)

    def heading(self, text: str, *, room: float = 22) -> None:
        """Begin a part; it goes to the next page where fewer than `room` mm are left."""
        if self.will_page_break(room):
            self.add_page()
        self.ln(2.5)
        self._type(10.5, bold=True)
        self.cell(0, 6, text, new_x="LMARGIN", new_y="NEXT")
        self.set_draw_color(*LINE)
        self.set_line_width(0.2)
        self.line(MARGIN, self.get_y(), self.w - MARGIN, self.get_y())
        self.ln(1.2)

    def paragraph(self, text: object, *, muted: bool = False, bold: bool = False, size: float = 9) -> None:
        """Print a text, over as many lines and pages as it takes."""
        self._type(size, MUTED if muted else INK, bold=bold)
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
        self.set_draw_color(*LINE)
        self.set_line_width(0.2)
        self.line(MARGIN, self.get_y(), self.w - MARGIN, self.get_y())
        self.ln(1.2)
        self._type(9, bold=True)
        self.cell(BESIDE, 4.7, what)
        self.set_left_margin(MARGIN + BESIDE)
        self.set_x(MARGIN + BESIDE)
        for text, bold, muted in paragraphs:
            self.paragraph(text, bold=bold, muted=muted, size=8 if muted else 9)
        self.set_left_margin(MARGIN)
        self.set_x(MARGIN)

    def fact(self, what: str, said: str) -> None:
        """Print a fact beside its name."""
        self._type(9, MUTED)
        self.cell(BESIDE, 4.8, what)
        self._type(9)
        self.set_left_margin(MARGIN + BESIDE)
        self.lines(said, 4.8)
        self.set_left_margin(MARGIN)
        self.set_x(MARGIN)

    def rows(
        self, head: Row, rows: Sequence[Row], widths: Sequence[float], right: Sequence[int] = ()
    ) -> None:
        """Print a table of short cells; its head stands again on the next page. `right` are columns of numbers."""
        self._type(8.5)
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


def _head(pages: _Pages, report: Report) -> None:
    pages._type(16, bold=True)
    pages.lines(report.label, 8)
    if report.simulated:
        pages.paragraph(SIMULATED, bold=True, size=8.5)
    born = f"{report.birth_date or 'unknown'}" + (f" · {report.age} y at the study" if report.age else "")
    pages.fact("MRN", report.mrn)
    pages.fact("Born", born)
    pages.fact("Study", f"{report.on} · {report.modality} · UID {report.study_uid}")
    by = f" by {report.made_by}" if report.made_by else ""
    pages.fact("Report", f"made {moment(report.made_at)}{by}")
    pages.ln(1.5)
    pages._type(11, bold=True)
    pages.set_fill_color(*LEAD)
    pages.multi_cell(
        0,
        6,
        pages.told(report.in_short),
        align="L",
        fill=True,
        padding=Padding(1.5, 3, 1.5, 3),
        new_x="LMARGIN",
        new_y="NEXT",
    )
    if report.later_studies:
        n = report.later_studies
        are = "study is" if n == 1 else "studies are"
        pages.paragraph(f"As of this study: {n} later {are} not in this report.", muted=True)


def _in_bi_rads_order(pages: _Pages, report: Report) -> None:
    assessment = report.assessment
    pages.part("Indication", (report.indication, False, False))
    pages.part("Breast composition", (report.composition, False, False))
    pages.part("Findings", (report.findings, False, False), (f"Views: {report.views}", False, True))
    pages.part("Comparison", (report.comparison, False, False))
    if assessment.breasts:
        signed = (
            f"Signed by {assessment.by or 'a reader'}, {moment(assessment.at)}. BI-RADS {assessment.edition}."
        )
        said = [
            (f"{one.side[0].upper()}{one.side[1:]}: {one.words}", True, False) for one in assessment.breasts
        ]
        said += [(assessment.note, False, False)] if assessment.note else []
        pages.part("Assessment", *said, (signed, False, True))
    else:
        pages.part("Assessment", (NOT_ASSESSED, False, False))
    pages.part("Management", (assessment.management or "Not recorded.", False, False))


def _model(pages: _Pages, report: Report) -> None:
    said = report.said
    pages.heading("What the model said", room=30)
    if said.rank:
        pages.paragraph(f"Cancer within 5 years: {said.rank}", bold=True)
    if said.why_not:
        pages.paragraph(f"No risk is shown as a number. {said.why_not}", bold=True)
    if said.needed:
        pages.paragraph(f"What would be needed: {said.needed}", muted=True, size=8)
    if said.probabilities:
        rows = [(one.what, percent(one.value), interval(one.low, one.high)) for one in said.probabilities]
        pages.rows(("as of this study", "probability", "90 % interval, %"), rows, (90, 40, 48), right=(1, 2))
    if said.density:
        shares = " · ".join(f"{letter} {percent(share)}" for letter, share in said.density.items())
        pages.paragraph(f"Density by the model: {shares}")
    if said.unseen_views:
        pages.paragraph(
            f"Not seen by the model: {said.unseen_views}. The score is less certain for it.", size=8
        )
    pages.paragraph(said.statement, muted=True, size=8)


def _course(pages: _Pages, report: Report) -> None:
    drawing = draw_course(report)
    # A little lower it may fit beneath what stands there; else it begins the next page at its full height.
    lower = draw_course(report, lower_by=max(0.0, drawing.height + HEADED - pages.room))
    drawing = lower if lower.height + HEADED <= pages.room else drawing
    pages.heading("Course", room=drawing.height + HEADED)
    _draw(pages, drawing, said(report))
    for line in report.course_words:
        pages.paragraph(line, muted=True, size=8)
    if not report.course:
        return
    rows = []
    for one in report.course:
        visit = f"{one.on}{' ○' if one.views_missing else ''}"
        beside = (one.bi_rads or UNKNOWN, density_name(one.density or UNKNOWN))
        if one.risk_5y is None:
            rows.append((visit, one.instead, "", "", "", *beside))
            continue
        sides = (percent(one.malignancy.get("R")), percent(one.malignancy.get("L")))
        risk = one.risk_5y
        rows.append((visit, percent(risk.value), interval(risk.low, risk.high), *sides, *beside))
    head = ("visit", "5-year risk", "interval, %", "right, 1 year", "left, 1 year", "BI-RADS", "density")
    pages.rows(head, rows, (28, 38, 30, 26, 24, 16, 16), right=(1, 2, 3, 4))
    if any(one.views_missing for one in report.course):
        pages.paragraph("○ views were missing.", muted=True, size=8)


def _draw(pages: _Pages, drawing: Drawing, words: str) -> None:
    """Draw the figure at the pen, and move the pen below it."""
    left, top = MARGIN, pages.get_y()
    pages.set_auto_page_break(False)
    for area in drawing.areas:
        pages.set_fill_color(area.colour)
        pages.polygon([(left + x, top + y) for x, y in area.points], style="F")
    for line in drawing.lines:
        pages.set_draw_color(line.colour)
        pages.set_line_width(line.width)
        pages.set_dash_pattern(*((1.2, 1.2) if line.dashed else (0, 0)))
        (x0, y0), (x1, y1) = line.start, line.end
        pages.line(left + x0, top + y0, left + x1, top + y1)
    pages.set_dash_pattern()
    pages.set_line_width(0.4)
    for mark in drawing.marks:
        x, y = left + mark.at[0], top + mark.at[1]
        pages.set_draw_color(mark.colour)
        pages.set_fill_color("#FFFFFF" if mark.hollow else mark.colour)
        pages.circle(x, y, mark.radius, style="DF")
        if mark.crossed:
            d = mark.radius * 0.7
            pages.line(x - d, y - d, x + d, y + d)
            pages.line(x - d, y + d, x + d, y - d)
    for one in drawing.words:
        pages.set_font("DejaVu", "", one.points)
        pages.set_text_color(one.colour)
        shift = {"start": 0.0, "middle": 0.5, "end": 1.0}[one.anchor]
        text = pages.told(one.text)
        pages.text(left + one.at[0] - shift * pages.get_string_width(text), top + one.at[1], text)
    pages.set_auto_page_break(True, BOTTOM)
    pages.set_xy(MARGIN, top + drawing.height + 1)
    pages.set_draw_color(*LINE)


def _pictures(pages: _Pages, report: Report, now: Sequence[Picture], prior: Sequence[Picture]) -> None:
    """Hang the study and its prior side by side: rows CC and MLO, R beside L, chest walls meeting."""
    gap, beside = 4.0, 24.0
    # As high as the page has room, so that none is left white before them; lower where the rest then fits beneath.
    room = pages.room - beside
    lower, height = (room - _height_of_the_rest(report)) / 2, min(HIGHEST, room / 2)
    height = min(HIGHEST, lower) if lower >= LOWEST else height if height >= LOWEST else HIGHEST
    pages.heading("Current and prior", room=2 * height + beside)
    top = pages.get_y() + 5
    half = (pages.epw - gap) / 2
    titles = (f"{report.on} (current)", f"{report.prior.on} (prior)" if report.prior else "")
    pages.set_auto_page_break(False)
    for column, (title, places) in enumerate(zip(titles, (now, prior), strict=True)):
        left = MARGIN + column * (half + gap)
        pages._type(8.5, bold=True)
        pages.text(left, top - 1.5, title or "No prior mammogram is available here.")
        for number, place in enumerate(places):
            x, y = left + (number % 2) * half / 2, top + (number // 2) * height
            _place(pages, place, title, (x, y, half / 2, height))
    pages.set_auto_page_break(True, BOTTOM)
    pages.set_xy(MARGIN, top + (2 * height if now else 0) + 2)
    pages.paragraph(
        "Reduced in size, for orientation: read studies from the originals.", muted=True, size=7.5
    )


def _height_of_the_rest(report: Report) -> float:
    """Return about how many mm what stands below the pictures takes."""
    tables = [sum(len(lesion.measured) for lesion in report.lesions), len(report.alerts)]
    return (
        64.0
        + sum(12.0 + 6.0 * rows for rows in tables if rows)
        + 11.0 * len(report.events)
        + 5.5 * len(report.log)
    )


def _place(pages: _Pages, place: Picture, title: str, box: tuple[float, float, float, float]) -> None:
    """Put a picture into its place on black, at the edge that its chest wall meets; say what is not there."""
    x, y, width, height = box
    pages.set_fill_color(0, 0, 0)
    pages.rect(x, y, width, height, style="F")
    right = place.view.laterality == "R"
    if place.jpeg is not None:
        scale = min(width / place.columns, height / place.rows)
        w, h = place.columns * scale, place.rows * scale
        alt = f"{place.view.words}, {title}"
        pages.image(
            io.BytesIO(place.jpeg), x + (width - w if right else 0), y + (height - h) / 2, w, h, alt_text=alt
        )
    pages._type(7, (213, 218, 224))
    words = place.view.words
    wide = pages.get_string_width(words) + 2
    pages.rect(x + (0.5 if right else width - 0.5 - wide), y + height - 5, wide, 4, style="F")
    pages.text(x + 1.5 if right else x + width - 1.5 - pages.get_string_width(words), y + height - 2, words)
    if place.jpeg is None:
        pages.set_xy(x + 2, y + height / 2 - 4)
        pages.multi_cell(width - 4, 3.6, place.instead, align="C")


def _lesions(pages: _Pages, report: Report) -> None:
    if not report.lesions:
        pages.part("Lesions", ("None measured.", False, False))
        return
    pages.heading("Lesions")
    rows = [
        (
            lesion.label,
            SIDE_WORDS[lesion.laterality],
            f"{one.on}",
            one.view,
            length(one.long_mm),
            length(one.short_mm),
            one.by or "a reader",
        )
        for lesion in report.lesions
        for one in lesion.measured
    ]
    head = ("lesion", "breast", "study", "view", "long", "short", "measured by")
    pages.rows(head, rows, (38, 16, 24, 20, 22, 22, 36), right=(4, 5))
    for lesion in report.lesions:
        if lesion.remark:
            pages.paragraph(f"{lesion.label}: {lesion.remark}", muted=True, size=8)
    for line in report.response:
        pages.paragraph(line, muted=True, size=8)


def _alerts_and_events(pages: _Pages, report: Report) -> None:
    if report.alerts:
        pages.heading("Alerts")
        rows = [(f"{alert.study_date}", words, standing) for alert, words, standing in report.alerts]
        pages.rows(("visit", "alert", "how it stands"), rows, (24, 90, 64))
    else:
        pages.part("Alerts", ("None.", False, False))
    if not report.events:
        pages.part("Events", ("None recorded.", False, False))
        return
    pages.heading("Events")
    # Not a table: a note may be longer than a page.
    for number, event in enumerate(report.events, 1):
        if pages.will_page_break(12):
            pages.add_page()  # its words begin where it is named
        end = f" to {event.end}" if event.end else ""
        side = f", {SIDE_WORDS.get(event.side_words, event.side_words)}" if event.side_words else ""
        pages.paragraph(f"{number}  {event.on}{end}  {event.kind.value}{side}", bold=True, size=8.5)
        if event.detail:
            pages.paragraph(event.detail, size=8.5)


def _log(pages: _Pages, report: Report) -> None:
    pages.heading("Who said what")
    for one in report.log:
        pages.paragraph(f"{moment(one.at)}  {one.by}: {one.what}", size=8.5)
    if not report.log:
        pages.paragraph("Nothing is recorded of this study yet.")


def _closing(pages: _Pages, report: Report) -> None:
    pages.ln(2)
    said = report.said
    pages.paragraph(said.statement, muted=True, size=8)
    if said.model:
        weights = f"Weights {said.model}, sha256 {said.weights_sha256}, calibration {said.calibration}."
        pages.paragraph(weights, muted=True, size=7.5)
    if report.link:
        pages._type(8, ACCENT)
        pages.multi_cell(
            0,
            4.4,
            pages.told(f"This view: {report.link}"),
            link=report.link,
            align="L",
            new_x="LMARGIN",
            new_y="NEXT",
        )
    if pages.lacking:
        pages.paragraph(
            f"{LACKING} stands for letters that this file's typeface lacks; the other formats of the report hold them.",
            muted=True,
            size=8,
        )
