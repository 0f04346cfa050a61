"""A set of simulated women on disk: image files, `manifest.csv`, `truth.csv`, and what is known beside them."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal

import cv2

from core.files import AS_ASKED, whole_file, write_whole
from core.rules import ages
from core.rules.vocabulary import SIDES, FindingClass, Side
from core.settings import Settings
from seed_data.women import backgrounds, films, lives, machines, practice
from seed_data.women.backgrounds import Background
from seed_data.women.life import CaseMix, Life, LifeVisit
from seed_data.women.mechanisms import OF_2025, Mechanisms
from seed_data.women.processes import in_order
from seed_data.women.rates import gland_share
from seed_data.women.truth import visible_from
from seed_data.women.views import ViewRecord, imaged

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


@dataclass
class _Woman:
    """All rows of one woman, as a worker hands them back."""

    manifest: list[Row] = field(default_factory=list)
    truth: list[Row] = field(default_factory=list)
    risk: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    repeats: list[list[Row]] = field(default_factory=list)
    images: int = 0
    observed: bool = False


@dataclass(frozen=True)
class _Order:
    """What a worker needs to make one woman."""

    seed: int
    number: int
    mix: CaseMix
    folder: Path
    image_format: Literal["png", "dicom"]
    spacing_mm: float
    background: Background | None = None
    repeats: int = 0
    mechanisms: Mechanisms = OF_2025
    anew: bool = False


def _make_woman(order: _Order) -> _Woman:
    cv2.setNumThreads(1)
    if order.background is None:
        life = lives.draw_life(order.seed, order.number, order.mix, mechanisms=order.mechanisms)
        if order.mix.findings_per_breast is not None:
            life = practice.strewn(life, order.mix.findings_per_breast)
        drawn = imaged(life, order.spacing_mm)
    else:
        life = backgrounds.life_in(order.background, order.seed, order.number, order.mix, order.mechanisms)
        imaged_in = films.imaged_anew if order.anew else backgrounds.imaged
        drawn = imaged_in(life, order.background, order.spacing_mm, Settings())
    made, records = _Woman(observed=life.cancer_date is not None), []
    for record in drawn:
        row = _written(life, record, order)
        made.manifest.append(row)
        if order.mix.findings_per_breast is not None:
            made.manifest += _further_findings(record, row)
        made.images += 1
        records.append(record)
    made.manifest.sort(key=_in_order)
    last = life.visits[-1]
    for number in range(1, order.repeats + 1):
        again = imaged(life, order.spacing_mm, [replace(last, again=(number,))])
        before = [row for row in made.manifest if row["study_date"] != last.on.isoformat()]
        made.repeats.append(sorted(before + [_written(life, one, order) for one in again], key=_in_order))
    seen = visible_from(life)
    made.truth = [
        row | {VISIBLE_FROM: "" if seen is None else seen.isoformat()} for row in truth_rows(life, records)
    ]
    made.risk = [risk_row(life, visit) for visit in life.visits]
    made.events = event_rows(life)
    return made


def _in_order(row: Row) -> tuple[str, str, str]:
    return row["study_date"], row["laterality"], row["view"]


def _written(life: Life, record: ViewRecord, order: _Order) -> Row:
    """Write the file of a view and return its row of the manifest."""
    visit = record.visit
    folder = order.folder / "images" / life.name
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{visit.number + 1}_{visit.on.isoformat()}_{record.side}_{record.view}"
    stem += "".join(f"_again{number}" for number in visit.again)
    if order.image_format == "png":
        path, data = folder / f"{stem}.png", machines.to_png(record.film)
    else:
        path, data = (
            folder / f"{stem}.dcm",
            machines.to_dicom(record.film, life, visit, record.side, record.view),
        )
    path.write_bytes(data)
    return manifest_row(life, record, path.relative_to(order.folder).as_posix(), order.background)


def simulate(
    folder: Path,
    *,
    patients: int,
    seed: int,
    mix: CaseMix | None = None,
    image_format: Literal["png", "dicom"] = "png",
    spacing_mm: float = 0.375,
    jobs: int | None = None,
    on_real: Sequence[Background] | None = None,
    repeats: int = 0,
    mechanisms: Mechanisms = OF_2025,
    anew: bool = False,
    only: Collection[str] | None = None,
    on_woman: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Write a set of simulated women into `folder` and return its description.

    The bytes depend on the arguments but not on `jobs`, the number of processes. `on_woman(women done, images so
    far)` is called after each. With `on_real` the findings are drawn into real pictures, one woman each. The folder gets `images/`, `manifest.csv`, `truth.csv`, `risk_factors.csv`,
    `events.csv` and `simulation.json`, which states the case mix. With `repeats` each woman's last study is taken again
    so often on the same day, positioned and exposed anew: `repeat_1.csv` and so on are the manifest with that study in
    the place of the first. `mechanisms` go with women who have a course; those that lie in the tissue (texture, signs) with
    drawn ones. With `anew` real pictures are exposed and digitised anew at each visit. Of
    `only`, names of drawn women, no others are pictured: each is as she would be among all. Raises ValueError for impossible numbers.
    """
    if patients < 1:
        raise ValueError("At least one patient is needed.")
    if on_real is not None and len(on_real) < patients:
        raise ValueError(f"There are {len(on_real)} real backgrounds for {patients} women.")
    if not 0.1 <= spacing_mm <= 1.0:
        raise ValueError("The pixel spacing must lie between 0.1 and 1.0 mm.")
    mix = mix or CaseMix()
    if repeats and (on_real is not None or mix.findings_per_breast is not None):
        raise ValueError("Only drawn women with a course can be imaged again on the same day.")
    if mechanisms != OF_2025 and mix.findings_per_breast is not None:
        raise ValueError("Other mechanisms go with women with a course only.")
    if mechanisms.tells_more and on_real is not None:
        raise ValueError("Texture and early signs are drawn into simulated tissue only.")
    if only is not None and on_real is not None:
        raise ValueError("Single women are picked among drawn ones only.")
    numbers = _numbers(seed, patients, only)
    folder.mkdir(parents=True, exist_ok=True)
    orders = [
        _Order(
            seed,
            number,
            mix,
            folder,
            image_format,
            spacing_mm,
            on_real[number - 1] if on_real else None,
            repeats,
            mechanisms,
            anew,
        )
        for number in numbers
    ]
    images = cancers = visits = 0
    tables = {
        "manifest": MANIFEST_COLUMNS, "truth": (*truth_columns(mechanisms), VISIBLE_FROM), "risk": RISK_COLUMNS,
        "events": EVENT_COLUMNS,
    }  # fmt: skip
    names = {
        "manifest": "manifest.csv",
        "truth": "truth.csv",
        "risk": "risk_factors.csv",
        "events": "events.csv",
    }
    with ExitStack() as half_written:
        # The one opened first appears last: where the manifest lies, the set is complete.
        files = {
            key: half_written.enter_context(
                whole_file(folder / names[key], text=True, newline="", mode=AS_ASKED)
            )
            for key in tables
        }
        again = [
            half_written.enter_context(
                whole_file(folder / f"repeat_{number}.csv", text=True, newline="", mode=AS_ASKED)
            )
            for number in range(1, repeats + 1)
        ]
        writers = {key: csv.DictWriter(files[key], tables[key], lineterminator="\n") for key in tables}
        repeated = [csv.DictWriter(file, MANIFEST_COLUMNS, lineterminator="\n") for file in again]
        for writer in (*writers.values(), *repeated):
            writer.writeheader()
        for done, woman in enumerate(in_order(_make_woman, orders, jobs or os.cpu_count() or 1), start=1):
            for key, writer in writers.items():
                writer.writerows(getattr(woman, key))
            for writer, rows in zip(repeated, woman.repeats, strict=True):
                writer.writerows(rows)
            images += woman.images
            visits += len(woman.risk)
            cancers += woman.observed
            if on_woman:
                on_woman(done, images)
        description = {
            "simulated": True,
            "statement": _statement(len(numbers), cancers, mix, on_real is not None, patients),
            "patients": len(numbers),
            "visits": visits,
            "images": images,
            "women_with_cancer": cancers,
            "seed": seed,
            "format": image_format,
            "pixel_spacing_mm": spacing_mm,
            "case_mix": asdict(mix),
            "repeats": repeats,
            "real_backgrounds": on_real is not None,
            "how_records_end": (
                "Number and dates of visits and length of follow-up are drawn alike for all women, whatever comes after. "
                "Untreated women have no diagnosis before their last visit, so risk labels are unbiased at the last visit "
                "(also of a record whose first visits are left out), not at earlier ones."
            ),
            "constants": "seed_data/lives.py and seed_data/bodies.py, each with its source",
        }
        if only is not None:
            description["drawn_from"] = patients
        if mechanisms != OF_2025:
            description["mechanisms"] = asdict(mechanisms)
        write_whole(folder / "simulation.json", json.dumps(description, indent=2) + "\n", mode=AS_ASKED)
    return description


_OF_A_SEED = re.compile(r"Sim-\d+-\d{4,}")


def _numbers(seed: int, patients: int, only: Collection[str] | None) -> list[int]:
    """Return the numbers of the women to be pictured."""
    every = range(1, patients + 1)
    if only is None:
        return list(every)
    chosen = [number for number in every if lives.name_of(seed, number) in only]
    # A table may name the women of several seeds.
    own = lives.name_of(seed, 0).removesuffix("0000")
    strange = {name for name in only if not _OF_A_SEED.fullmatch(name) or name.startswith(own)}
    strange -= {lives.name_of(seed, number) for number in chosen}
    called = f"the {patients} of seed {seed}, {lives.name_of(seed, 1)} to {lives.name_of(seed, patients)}"
    if strange:
        raise ValueError(
            f"{len(strange)} women to be pictured, such as {min(strange)}, are not among {called}."
        )
    if not chosen:
        raise ValueError(f"No woman to be pictured is named; they are to be among {called}.")
    return chosen


def _statement(patients: int, cancers: int, mix: CaseMix, on_real: bool, drawn_from: int) -> str:
    """Say in a sentence or two what the set is, so that nobody takes it for more."""
    what = (
        "Real pictures of one day each with simulated findings, dates and lives; no course is real."
        if on_real
        else "Simulated women, none of them real."
    )
    if patients < drawn_from:
        return f"{what} {patients} of {drawn_from} women, {cancers} with cancer: shares among them are not those of the set."
    if mix.findings_per_breast is not None:
        return f"{what} Findings are strewn anew at every visit: pictures to practise on, without course or outcome."
    if mix.cancer_rate is None:
        return f"{what} Natural incidence: {cancers} of {patients} with cancer."
    return (
        f"{what} Enriched: {cancers} of {patients} women ({cancers / patients:.0%}) have a cancer found within "
        "their follow-up, far more than in life."
    )


def _further_findings(record: ViewRecord, row: Row) -> list[Row]:
    """Return a manifest row for each visible finding beside the leading one."""
    rows = []
    for shown in record.shown:
        if shown.visible and shown is not record.leading:
            x0, y0, x1, y1 = record.box(shown)
            finding = FindingClass.of_lesion(malignant=shown.lesion.malignant)
            place = {"roi_x0": x0, "roi_y0": y0, "roi_x1": x1, "roi_y1": y1}
            rows.append(row | place | {"finding": finding, "lesion_mm": f"{shown.diameter_mm:.1f}"})
    return rows
