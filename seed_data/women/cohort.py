"""A set of simulated women on disk: image files, `manifest.csv`, `truth.csv`, and what is known beside them."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2

from core.files import AS_ASKED, whole_file, write_whole
from core.settings import Settings
from seed_data.women import backgrounds, films, lives, machines, practice
from seed_data.women.backgrounds import Background
from seed_data.women.life import Life
from seed_data.women.mechanisms import OF_2025
from seed_data.women.plan import SetPlan
from seed_data.women.processes import in_order
from seed_data.women.tables import (
    EVENT_COLUMNS,
    MANIFEST_COLUMNS,
    RISK_COLUMNS,
    VISIBLE_FROM,
    Row,
    event_rows,
    further_findings,
    manifest_row,
    risk_row,
    truth_columns,
    truth_rows,
)
from seed_data.women.truth import visible_from
from seed_data.women.views import ViewRecord, imaged


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
    """What a worker needs to make one woman: the plan names none but her, whose real pictures are `background`."""

    plan: SetPlan
    number: int
    folder: Path
    background: Background | None = None


def _make_woman(order: _Order) -> _Woman:
    cv2.setNumThreads(1)
    plan = order.plan
    if order.background is None:
        life = lives.draw_life(plan.seed, order.number, plan.mix, mechanisms=plan.mechanisms)
        if plan.mix.findings_per_breast is not None:
            life = practice.strewn(life, plan.mix.findings_per_breast)
        drawn = imaged(life, plan.spacing_mm)
    else:
        life = backgrounds.life_in(order.background, plan.seed, order.number, plan.mix, plan.mechanisms)
        imaged_in = films.imaged_anew if plan.anew else backgrounds.imaged
        drawn = imaged_in(life, order.background, plan.spacing_mm, Settings())
    made, records = _Woman(observed=life.cancer_date is not None), []
    for record in drawn:
        row = _written(life, record, order)
        made.manifest.append(row)
        if plan.mix.findings_per_breast is not None:
            made.manifest += further_findings(record, row)
        made.images += 1
        records.append(record)
    made.manifest.sort(key=_in_order)
    last = life.visits[-1]
    for number in range(1, plan.repeats + 1):
        again = imaged(life, plan.spacing_mm, [replace(last, again=(number,))])
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
    if order.plan.image_format == "png":
        path, data = folder / f"{stem}.png", machines.to_png(record.film)
    else:
        path, data = (
            folder / f"{stem}.dcm",
            machines.to_dicom(record.film, life, visit, record.side, record.view),
        )
    path.write_bytes(data)
    return manifest_row(life, record, path.relative_to(order.folder).as_posix(), order.background)


class _Tables:
    """The tables of a set while they are written: they appear when the set is complete, the manifest last."""

    def __init__(self, folder: Path, plan: SetPlan, half_written: ExitStack) -> None:
        def table(name: str, columns: Sequence[str]) -> csv.DictWriter[str]:
            file = whole_file(folder / name, text=True, newline="", mode=AS_ASKED)
            writer = csv.DictWriter(half_written.enter_context(file), columns, lineterminator="\n")
            writer.writeheader()
            return writer

        # The one opened first appears last: where the manifest lies, the set is complete.
        self.manifest = table("manifest.csv", MANIFEST_COLUMNS)
        self.truth = table("truth.csv", (*truth_columns(plan.mechanisms), VISIBLE_FROM))
        self.risk = table("risk_factors.csv", RISK_COLUMNS)
        self.events = table("events.csv", EVENT_COLUMNS)
        self.repeats = [
            table(f"repeat_{number}.csv", MANIFEST_COLUMNS) for number in range(1, plan.repeats + 1)
        ]

    def add(self, woman: _Woman) -> None:
        """Write a woman's rows."""
        self.manifest.writerows(woman.manifest)
        self.truth.writerows(woman.truth)
        self.risk.writerows(woman.risk)
        self.events.writerows(woman.events)
        for writer, rows in zip(self.repeats, woman.repeats, strict=True):
            writer.writerows(rows)


@dataclass
class _Count:
    """How many women, visits and images a set holds, and in how many women a cancer is found."""

    women: int = 0
    visits: int = 0
    images: int = 0
    cancers: int = 0

    def add(self, woman: _Woman) -> None:
        """Count a woman."""
        self.women += 1
        self.visits += len(woman.risk)
        self.images += woman.images
        self.cancers += woman.observed


def simulate(
    folder: Path,
    plan: SetPlan,
    *,
    jobs: int | None = None,
    on_woman: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Write a set of simulated women into `folder` and return its description.

    The bytes depend on the plan but not on `jobs`, the number of processes. `on_woman(women done, images so far)` is
    called after each. The folder gets `images/`, `manifest.csv`, `truth.csv`, `risk_factors.csv`, `events.csv` and
    `simulation.json`, which states the case mix; with repeats `repeat_1.csv` and so on, the manifest with the last study
    taken again in the place of the first. Raises ValueError if a woman is to be picked who is not of the set.
    """
    numbers = plan.numbers()
    folder.mkdir(parents=True, exist_ok=True)
    hers = replace(plan, on_real=None, only=None)
    orders = [
        _Order(hers, number, folder, plan.on_real[number - 1] if plan.on_real else None) for number in numbers
    ]
    count = _Count()
    with ExitStack() as half_written:
        tables = _Tables(folder, plan, half_written)
        for woman in in_order(_make_woman, orders, jobs or os.cpu_count() or 1):
            tables.add(woman)
            count.add(woman)
            if on_woman:
                on_woman(count.women, count.images)
        description = _description(plan, count)
        write_whole(folder / "simulation.json", json.dumps(description, indent=2) + "\n", mode=AS_ASKED)
    return description


def _description(plan: SetPlan, count: _Count) -> dict[str, Any]:
    """Return what `simulation.json` says of a set."""
    description = {
        "simulated": True,
        "statement": _statement(plan, count),
        "patients": count.women,
        "visits": count.visits,
        "images": count.images,
        "women_with_cancer": count.cancers,
        "seed": plan.seed,
        "format": plan.image_format,
        "pixel_spacing_mm": plan.spacing_mm,
        "case_mix": asdict(plan.mix),
        "repeats": plan.repeats,
        "real_backgrounds": plan.on_real is not None,
        "how_records_end": (
            "Number and dates of visits and length of follow-up are drawn alike for all women, whatever comes after. "
            "Untreated women have no diagnosis before their last visit, so risk labels are unbiased at the last visit "
            "(also of a record whose first visits are left out), not at earlier ones."
        ),
        "constants": "seed_data/women: rates, mechanisms, appearance and the modules beside them, each with its source",
    }
    if plan.only is not None:
        description["drawn_from"] = plan.patients
    if plan.mechanisms != OF_2025:
        description["mechanisms"] = asdict(plan.mechanisms)
    return description


def _statement(plan: SetPlan, count: _Count) -> str:
    """Say in a sentence or two what the set is, so that nobody takes it for more."""
    what = (
        "Real pictures of one day each with simulated findings, dates and lives; no course is real."
        if plan.on_real is not None
        else "Simulated women, none of them real."
    )
    patients, cancers = count.women, count.cancers
    if patients < plan.patients:
        return f"{what} {patients} of {plan.patients} women, {cancers} with cancer: shares among them are not those of the set."
    if plan.mix.findings_per_breast is not None:
        return f"{what} Findings are strewn anew at every visit: pictures to practise on, without course or outcome."
    if plan.mix.cancer_rate is None:
        return f"{what} Natural incidence: {cancers} of {patients} with cancer."
    return (
        f"{what} Enriched: {cancers} of {patients} women ({cancers / patients:.0%}) have a cancer found within "
        "their follow-up, far more than in life."
    )
