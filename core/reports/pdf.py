"""A report as a PDF for the tumour board: in the order of BI-RADS, on the pages that `core.reports.pages` makes."""

from __future__ import annotations

import io
from collections.abc import Sequence

from fpdf.util import Padding

from core.palette import ACCENT, RULE
from core.reports.content import NOT_ASSESSED, SIMULATED, Report
from core.reports.pages import BOTTOM, LACKING, MARGIN, Pages
from core.reports.pictures import Picture
from core.reports.trend import Drawing, draw_course
from core.rules.vocabulary import SIDE_WORDS, density_name
from core.wording import UNKNOWN, interval, length, moment, percent

__all__ = ["render_pdf"]

LEAD = (244, 246, 248)
HEADED = 12.0
"""What a heading takes above the figure of the course, in mm."""
LOWEST, HIGHEST = 40.0, 58.0
"""How high a picture is, in mm."""


def render_pdf(report: Report, now: Sequence[Picture], prior: Sequence[Picture]) -> bytes:
    """Return the report as a PDF."""
    pages = Pages(report)
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


def _head(pages: Pages, report: Report) -> None:
    pages.set_type(16, bold=True)
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
    pages.set_type(11, bold=True)
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


def _in_bi_rads_order(pages: Pages, report: Report) -> None:
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


def _model(pages: Pages, report: Report) -> None:
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


def _course(pages: Pages, report: Report) -> None:
    drawing = draw_course(report)
    # A little lower it may fit beneath what stands there; else it begins the next page at its full height.
    lower = draw_course(report, lower_by=max(0.0, drawing.height + HEADED - pages.room))
    drawing = lower if lower.height + HEADED <= pages.room else drawing
    pages.heading("Course", room=drawing.height + HEADED)
    _draw(pages, drawing)
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


def _draw(pages: Pages, drawing: Drawing) -> None:
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
    pages.set_draw_color(RULE)


def _pictures(pages: Pages, report: Report, now: Sequence[Picture], prior: Sequence[Picture]) -> None:
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
        pages.set_type(8.5, bold=True)
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


def _place(pages: Pages, place: Picture, title: str, box: tuple[float, float, float, float]) -> None:
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
    pages.set_type(7, "#D5DAE0")
    words = place.view.words
    wide = pages.get_string_width(words) + 2
    pages.rect(x + (0.5 if right else width - 0.5 - wide), y + height - 5, wide, 4, style="F")
    pages.text(x + 1.5 if right else x + width - 1.5 - pages.get_string_width(words), y + height - 2, words)
    if place.jpeg is None:
        pages.set_xy(x + 2, y + height / 2 - 4)
        pages.multi_cell(width - 4, 3.6, place.instead, align="C")


def _lesions(pages: Pages, report: Report) -> None:
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


def _alerts_and_events(pages: Pages, report: Report) -> None:
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


def _log(pages: Pages, report: Report) -> None:
    pages.heading("Who said what")
    for one in report.log:
        pages.paragraph(f"{moment(one.at)}  {one.by}: {one.what}", size=8.5)
    if not report.log:
        pages.paragraph("Nothing is recorded of this study yet.")


def _closing(pages: Pages, report: Report) -> None:
    pages.ln(2)
    said = report.said
    pages.paragraph(said.statement, muted=True, size=8)
    if said.model:
        weights = f"Weights {said.model}, sha256 {said.weights_sha256}, calibration {said.calibration}."
        pages.paragraph(weights, muted=True, size=7.5)
    if report.link:
        pages.set_type(8, ACCENT)
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
