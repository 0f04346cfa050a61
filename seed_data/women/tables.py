"""The tables of a simulated set: their columns, and the rows of one woman."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date
from typing import Any, Final

from core.rules import ages
from core.rules.vocabulary import SIDES, FindingClass, Side
from seed_data.women import machines
from seed_data.women.backgrounds import Background
from seed_data.women.life import Life, LifeVisit
from seed_data.women.mechanisms import Mechanisms
from seed_data.women.rates import gland_share
from seed_data.women.views import ViewRecord

MANIFEST_COLUMNS: Final = (
    "patient_id", "study_date", "modality", "laterality", "view", "path", "age", "birth_date", "finding", "density",
    "roi_x0", "roi_y0", "roi_x1", "roi_y1", "lesion_mm", "progression", "cancer_date", "cancer_laterality",
    "last_followup_date", "vendor", "pixel_spacing_mm", "simulated", "background",
)  # fmt: skip
TRUTH_COLUMNS: Final = (
    "patient_id", "visit", "study_date", "laterality", "age", "density", "study_density", "gland_share", "vendor",
    "views", "finding", "lesions", "largest_malignant_mm", "growth_mm_since_prior", "growth_ratio_since_prior",
    "progression", "cancer_in_breast", "months_to_diagnosis", "months_to_censoring", "found_by", "treated",
)  # fmt: skip
MORE_TRUTH_COLUMNS: Final = ("texture", "sign", "grade", "in_situ")  # of women with mechanisms of 2026
VISIBLE_FROM: Final = "visible_from"
"""The column of a set's truth table that says from which day on her cancer could be seen; lives without images lack it."""
RISK_COLUMNS: Final = (
    "patient_id", "recorded_on", "bmi", "first_degree_relatives_with_breast_cancer", "postmenopausal",
    "hormone_therapy", "prior_biopsy",
)  # fmt: skip
EVENT_COLUMNS: Final = ("patient_id", "kind", "event_date", "end_date", "laterality", "detail")

Row = dict[str, Any]


def truth_columns(mechanisms: Mechanisms) -> tuple[str, ...]:
    """Return the columns of a truth table of women with these mechanisms."""
    return (*TRUTH_COLUMNS, *MORE_TRUTH_COLUMNS) if mechanisms.tells_more else TRUTH_COLUMNS


def manifest_row(life: Life, record: ViewRecord, path: str, background: Background | None = None) -> Row:
    """Return the exam manifest's row of one image (DESIGN.md, "Exam manifest").

    With a real background the density is the one stated for it, if any, and the row names whose picture it is.
    """
    visit, leading = record.visit, record.leading
    x0, y0, x1, y1 = record.box(leading) if leading else ("", "", "", "")
    progressed = life.progressed(visit, record.side)
    return {
        "patient_id": life.name,
        "study_date": visit.on.isoformat(),
        "modality": "MG",
        "laterality": record.side,
        "view": record.view,
        "path": path,
        "age": f"{life.age_years(visit.on):.2f}",
        "birth_date": life.birth_date.isoformat(),
        "finding": record.finding,
        "density": background.density(record.side) if background else visit.density(record.side),
        "roi_x0": x0, "roi_y0": y0, "roi_x1": x1, "roi_y1": y1,
        "lesion_mm": f"{leading.diameter_mm:.1f}" if leading else "",
        "progression": "" if progressed is None else int(progressed),
        "cancer_date": life.cancer_date.isoformat() if life.cancer_date else "",
        "cancer_laterality": life.cancer_side or "",
        "last_followup_date": life.last_followup.isoformat(),
        "vendor": record.film.machine.name,
        "pixel_spacing_mm": f"{record.film.spacing_mm:.4f}",
        "simulated": 1,
        "background": background.patient_id if background else "",
    }  # fmt: skip


def truth_rows(life: Life, records: Iterable[ViewRecord]) -> list[Row]:
    """Return the truth of every visit and breast; `records` say where findings were drawn and whether they show."""
    drawn: dict[tuple[int, Side], list[ViewRecord]] = {}
    for record in records:
        drawn.setdefault((record.visit.number, record.side), []).append(record)
    rows = []
    for visit in life.visits:
        for side in SIDES:
            here = drawn.get((visit.number, side), [])
            rows.append(_truth_row(life, visit, side, here) | _more_truth(life, visit, side))
    return rows


def further_findings(record: ViewRecord, row: Row) -> list[Row]:
    """Return a manifest row for each visible finding beside the leading one."""
    rows = []
    for shown in record.shown:
        if shown.visible and shown is not record.leading:
            x0, y0, x1, y1 = record.box(shown)
            finding = FindingClass.of_lesion(malignant=shown.lesion.malignant)
            place = {"roi_x0": x0, "roi_y0": y0, "roi_x1": x1, "roi_y1": y1}
            rows.append(row | place | {"finding": finding, "lesion_mm": f"{shown.diameter_mm:.1f}"})
    return rows


def _truth_row(life: Life, visit: LifeVisit, side: Side, records: list[ViewRecord]) -> Row:
    findings = []
    for lesion, size in life.lesions_on(visit.on, side):
        views = {}
        for record in records:
            for shown in record.shown:
                if shown.lesion.name == lesion.name and shown.in_field:
                    x, y = record.place(shown)
                    views[record.view] = {
                        "x": round(x, 1), "y": round(y, 1), "box": record.box(shown), "visible": shown.visible,
                        "contrast_to_clutter": round(shown.contrast_to_clutter, 3),
                    }  # fmt: skip
        findings.append(
            {
                "name": lesion.name, "kind": lesion.kind, "malignant": lesion.malignant, "diameter_mm": round(size, 2),
                "since": lesion.since.isoformat(), "position_mm": [round(value, 1) for value in lesion.position_mm],
                "visible": any(view["visible"] for view in views.values()), "views": views,
            }
        )  # fmt: skip
    before = life.visits[visit.number - 1].on if visit.number else None
    now_mm = _largest(life, side, visit.on)
    before_mm = _largest(life, side, before) if before else 0.0
    progressed = life.progressed(visit, side)
    affected = life.cancer_side == side and life.cancer_date is not None
    seen = [item for item in findings if item["visible"]]
    finding = FindingClass.NORMAL
    if seen:
        finding = FindingClass.of_lesion(malignant=any(item["malignant"] for item in seen))
    return {
        "patient_id": life.name,
        "visit": visit.number + 1,
        "study_date": visit.on.isoformat(),
        "laterality": side,
        "age": f"{life.age_years(visit.on):.2f}",
        "density": visit.density(side),
        "study_density": visit.study_density,
        "gland_share": f"{gland_share(visit.score[side]):.4f}",
        "vendor": (records[0].film.machine if records else machines.machine_of(life, visit)).name,
        "views": " ".join(record.view for record in records),
        "finding": finding,
        "lesions": json.dumps(findings, separators=(",", ":")),
        "largest_malignant_mm": f"{now_mm:.2f}",
        "growth_mm_since_prior": f"{now_mm - before_mm:.2f}" if before else "",
        "growth_ratio_since_prior": f"{now_mm / before_mm:.3f}" if before and before_mm else "",
        "progression": "" if progressed is None else int(progressed),
        "cancer_in_breast": int(affected),
        "months_to_diagnosis": _months(visit.on, life.cancer_date) if affected else "",
        "months_to_censoring": _months(visit.on, life.last_followup),
        "found_by": life.found_by or "",
        "treated": int(life.treated),
    }


def _more_truth(life: Life, visit: LifeVisit, side: Side) -> Row:
    """Return what mechanisms of 2026 add to a row, nothing for women without them."""
    if visit.texture is None and not visit.signs:
        return {}
    cancer = next((one for one in life.lesions if one.malignant and one.side == side), None)
    return {
        "texture": "" if visit.texture is None else f"{visit.texture:.4f}",
        "sign": f"{visit.signs[side]:.4f}" if visit.signs else "",
        "grade": "" if cancer is None or cancer.grade is None else cancer.grade,
        "in_situ": "" if cancer is None else int(cancer.in_situ),
    }


def _months(start: date, end: date | None) -> str:
    return "" if end is None else f"{(end - start).days / ages.DAYS_PER_MONTH:.2f}"


def _largest(life: Life, side: Side, on: date) -> float:
    return max((size for lesion, size in life.lesions_on(on, side) if lesion.malignant), default=0.0)


def risk_row(life: Life, visit: LifeVisit) -> Row:
    """Return what was known of a woman's risk factors at a visit."""
    return {
        "patient_id": life.name,
        "recorded_on": visit.on.isoformat(),
        "bmi": life.bmi,
        "first_degree_relatives_with_breast_cancer": life.relatives,
        "postmenopausal": int(visit.on >= life.menopause_on),
        "hormone_therapy": int(life.hormone_therapy),
        "prior_biopsy": int(life.prior_biopsy),
    }


def event_rows(life: Life) -> list[Row]:
    """Return a woman's events, those after her last visit included."""
    return [
        {
            "patient_id": life.name, "kind": event.kind, "event_date": event.on.isoformat(),
            "end_date": event.until.isoformat() if event.until else "", "laterality": event.side or "",
            "detail": event.detail,
        }
        for event in life.events
    ]  # fmt: skip
