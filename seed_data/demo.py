"""The demo cohort: simulated women with stories worth looking at, taken in as DICOM like any other study."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Final

import cv2
import numpy as np

from core.cohorts import keep_truth
from core.incoming import history, intake, items
from core.installation import Installation
from core.people import simulated_reader
from core.records import (
    LesionNote,
    LesionStatus,
    Sizing,
    record_sourced_assessment,
    record_sourced_lesions,
)
from core.rules import measurement_sd_mm
from seed_data.stories import SEED, STORY_OF, Read, Story, cast, dated
from seed_data.women import machines
from seed_data.women.life import Life, LifeEvent, LifeVisit
from seed_data.women.processes import in_order
from seed_data.women.truth import visible_from
from seed_data.women.views import imaged

# Fine enough that the longest side has 800 pixels or more with every machine, which intake takes for a full-size view.
SPACING_MM: Final = 0.275


def mrn_of(life: Life) -> str:
    """Return the MRN of a woman of the demo."""
    return life.name.replace("Sim-", "SIM")


def _files_of(life: Life, *, worn: bool = False) -> list[items.IncomingFile]:
    """Draw all of a woman's views and return them as DICOM files in memory, oldest visit first."""
    cv2.setNumThreads(1)
    records = sorted(imaged(life, SPACING_MM), key=lambda r: (r.visit.number, r.side, r.view))
    files = []
    for number, record in enumerate(records):
        film = record.film
        if worn:
            film = machines.worn(film, np.random.default_rng([*life.key, number]))
        data = machines.to_dicom(film, life, record.visit, record.side, record.view, mrn=mrn_of(life))
        name = f"{life.name}/{record.visit.on.isoformat()}_{record.side}_{record.view}.dcm"
        files.append(items.IncomingFile(name, data))
    return files


def _drawn(cast_as: tuple[str, Life]) -> list[items.IncomingFile]:
    story, life = cast_as
    return _files_of(life, worn=STORY_OF[story].worn)


def _events(life: Life, until: date, story: Story | None = None) -> list[history.EventNote]:
    """Return what is known of her by `until`; a cancer is biopsied before and operated after its diagnosis."""
    events = [(event, "malignant" if event.kind == "biopsy" else None) for event in life.events]
    for event in life.events:
        if event.kind == "diagnosis" and not life.treated:
            operated = event.on + timedelta(days=35)
            core = LifeEvent("biopsy", event.on - timedelta(days=6), None, event.side, "core biopsy")
            surgery = LifeEvent("surgery", operated, None, event.side, "breast-conserving surgery")
            events += [(core, "malignant"), (surgery, None)]
    for lesion in life.lesions:
        if lesion.kind in ("indistinct benign mass", "radial scar"):
            first = next((visit.on for visit in life.visits if lesion.diameter_mm(visit.on) >= 7), None)
            if first is not None:
                core = LifeEvent("biopsy", first + timedelta(days=16), None, lesion.side, "core biopsy")
                events.append((core, "benign"))
    last = min(until, life.visits[-1].on) if story is not None and story.untold else until
    return [
        history.EventNote(
            event.kind,
            event.on,
            event.until if event.until is not None and event.until <= until else None,
            event.side,
            event.detail,
            result,
        )
        for event, result in sorted(events, key=lambda one: one[0].on)
        if event.on <= last
    ]


def _biopsy(life: Life, read: Read | None, until: date) -> list[history.EventNote]:
    """Return the biopsy whose result is not back yet."""
    if read is None or read.biopsied_after_days is None:
        return []
    on = life.visits[-1].on + timedelta(days=read.biopsied_after_days)
    return [history.EventNote("biopsy", on, detail="core biopsy")] if on <= until else []


def _uid(life: Life, visit: LifeVisit) -> str:
    return machines.uid("study", life.name, life.key, visit.number)


def _by_breast(life: Life, visit: LifeVisit, bi_rads: str) -> dict[str, str | None]:
    """Return what is said of each breast that was imaged: of one the category, of the other that it shows nothing."""
    side = life.cancer_side or "L"
    imaged = {one for one, _ in visit.views}
    if side not in imaged:
        side = next(iter(imaged))
    said = {one: bi_rads if one == side else "1" for one in imaged}
    return {"right": said.get("R"), "left": said.get("L")}


def _assess(here: Installation, life: Life, read: Read | None) -> None:
    """Sign what the simulated reader said of the last study, on the day after it."""
    if read is None:
        return
    said = [(life.visits[-1], read.bi_rads, read.note)]
    if read.prior is not None:
        said.append((life.visits[-2], read.prior, "Follow-up at six months."))
    reader = simulated_reader(here)
    for visit, bi_rads, note in said:
        record_sourced_assessment(
            here,
            reader,
            _uid(life, visit),
            **_by_breast(life, visit, bi_rads),
            density=visit.study_density,
            comparison=_uid(life, life.visits[visit.number - 1]) if visit.number else None,
            note=note,
            signed_at=datetime.combine(visit.on + timedelta(days=1), time(9), UTC),
        )


def _risk_factors(life: Life) -> list[history.RiskNote]:
    return [
        history.RiskNote(
            visit.on,
            bmi=life.bmi,
            first_degree_relatives_with_breast_cancer=life.relatives,
            postmenopausal=visit.on >= life.menopause_on,
            hormone_therapy=life.hormone_therapy,
            prior_biopsy=life.prior_biopsy,
        )
        for visit in life.visits
    ]


@dataclass(frozen=True)
class Follow:
    """Which of a woman's findings are followed, by their names in her life, and how."""

    lesions: tuple[str, ...]
    kind: str
    status: LesionStatus = LesionStatus.FOLLOWED
    note: str | None = None


FOLLOWED: Final = {
    ("stable benign mass", 0): Follow(
        ("B1",), "calcifications", LesionStatus.KNOWN_BENIGN, "Coarse and unchanged: benign calcifications."
    ),
    ("stable benign mass", 1): Follow(
        ("B1",), "fibroadenoma", LesionStatus.KNOWN_BENIGN, "Fibroadenoma by its margins; no biopsy."
    ),
    ("operated, relapse", 1): Follow(("M1", "M2"), "distortion"),
}
"""Whose findings are followed: the story, and which of the women who play it (0 the first)."""
SHORT_SHARE: Final = 0.78
"""Short axis by long axis of the demo's lesions: a choice."""


def _followed(life: Life, how: Follow) -> list[LesionNote]:
    """Return findings of a woman, measured on the CC view of each study by a reader who errs as readers do.

    From the study on at which it stands out of the tissue a finding is measured at every one, and gone where it is.
    """
    records = [
        record for record in imaged(life, SPACING_MM) if record.view == "CC" and not record.visit.again
    ]
    records.sort(key=lambda record: record.visit.number)
    by_name = {lesion.name: lesion for lesion in life.lesions}
    reader = np.random.default_rng([SEED, life.key[1], 2])
    notes = []
    for number, name in enumerate(how.lesions, start=1):
        side = by_name[name].side
        sizes: list[tuple[str, Sizing]] = []
        since = life.visits[-1].on
        for record in (one for one in records if one.side == side):
            sop_uid = str(machines.uid("sop", life.name, life.key, record.visit.number, side, record.view))
            shown = next((one for one in record.shown if one.lesion.name == name and one.in_field), None)
            if shown is not None and (shown.visible or sizes):
                error = float(reader.normal(0, measurement_sd_mm(shown.diameter_mm)))
                long_mm = max(3.0, round(shown.diameter_mm + error, 1))
                short_mm = round(long_mm * SHORT_SHARE, 1)
                since = min(since, record.visit.on)
                sizes.append((sop_uid, Sizing(box=record.box(shown), long_mm=long_mm, short_mm=short_mm)))
            elif sizes and by_name[name].diameter_mm(record.visit.on) == 0:
                sizes.append((sop_uid, Sizing(box=sizes[-1][1].box, long_mm=0.0, short_mm=0.0)))
        if sizes:
            notes.append(LesionNote(f"Finding {number}", side, sizes, how.kind, how.status, how.note, since))
    return notes


def _as_stored(life: Life, held: dict[str, history.StudyHeld]) -> Life:
    """Return the life with the dates under which most of its stored studies are stored: one may have been corrected."""
    by = Counter(
        stored.on - visit.on for visit in life.visits if (stored := held.get(_uid(life, visit))) is not None
    )
    later = by.most_common(1)[0][0] if by else timedelta(0)
    return dated(life.key[1], life.name, life.visits[-1].on + later) if later else life


def _complete(life: Life, held: dict[str, history.StudyHeld]) -> bool:
    return all(
        (stored := held.get(_uid(life, visit))) is not None and stored.images >= len(visit.views)
        for visit in life.visits
    )


@dataclass
class Loaded:
    """What a run of the demo did."""

    women: int = 0
    women_new: int = 0
    studies: int = 0
    images_new: int = 0
    refused: int = 0


def load(
    here: Installation,
    *,
    women: int,
    until: date,
    jobs: int = 2,
    on_woman: Callable[[int, str, str], None] | None = None,
) -> Loaded:
    """Take the demo cohort in, woman by woman, with her events and risk factors; what is there already stays.

    `on_woman(women done, name, story)` is called after each woman. Raises ValueError for an impossible number,
    and `core.outages.MachineFailed` where the machine fails: what is in by then stays, and the next run goes on.
    """
    told, missing = Loaded(), []
    planned = []
    for story, life in cast(women, until):
        held = history.studies_held(here, mrn_of(life))
        life = _as_stored(life, held)
        planned.append((story, life))
        if not _complete(life, held):
            missing.append((story, life))
        told.women += 1
        told.studies += len(life.visits)
    files = in_order(_drawn, missing, jobs)
    absent = {life.name for _, life in missing}
    played: Counter[str] = Counter()
    for done, (title, life) in enumerate(planned, start=1):
        if life.name in absent:
            report = intake.take_in(here, next(files), statement=None, source="demo")
            report.check_whole()
            told.women_new += 1
            told.images_new += report.count("accepted")
            told.refused += report.count("quarantined")
        plot = STORY_OF[title]
        read = plot.read[played[title] % len(plot.read)]
        events = [*_events(life, until, plot), *_biopsy(life, read, until)]
        history.record_history(here, mrn_of(life), events=events, risk_factors=_risk_factors(life))
        _assess(here, life, read)
        if how := FOLLOWED.get((title, played[title])):
            record_sourced_lesions(here, mrn_of(life), partial(_followed, life, how))
        played[title] += 1
        if on_woman:
            on_woman(done, life.name, title)
    keep_truth(here, {mrn_of(life): seen for _, life in planned if (seen := visible_from(life)) is not None})
    return told
