"""Women made up for tests of pages: rows and pictures straight into a test database, no intake, no networks.

The pictures are shapes with the outline of a breast, not mammograms; every woman is marked as simulated unless a
test says otherwise.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.installation import Installation
from db.tables import (
    Alert,
    Event,
    EventKind,
    Image,
    Laterality,
    Patient,
    Score,
    Study,
    StudyStatus,
    utc_now,
)

FOUR_VIEWS = (("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO"))
ROWS, COLUMNS = 640, 512
WEIGHTS_SHA256 = "5e" * 32


@dataclass
class VisitPlan:
    """What one visit of a made-up woman should hold; probabilities are 0..1."""

    on: date
    risk_5y: float | None = 0.015
    malignancy_left: float | None = 0.02
    malignancy_right: float | None = 0.02
    progression: float | None = 0.05
    density: str = "B"
    views: Sequence[tuple[str, str]] = FOUR_VIEWS
    lesion_px: int = 0
    status: StudyStatus = StudyStatus.SCORED
    alerts: Sequence[tuple[str, str]] = field(default_factory=tuple)
    trust: tuple[str, str | None] = ("trusted", None)
    bi_rads: str | None = None
    smallest_change: float | None = None
    """In log-odds of 5-year risk; where it is None the score is one of before intervals of all probabilities were kept."""


@lru_cache(maxsize=64)
def breast(
    laterality: str, view: str, density: str = "B", lesion_px: int = 0, mirrored: bool = False
) -> np.ndarray:
    """Draw a shape like a breast, uint16 (640, 512): chest wall on its usual side, or the other if `mirrored`."""
    generator = np.random.default_rng([ord(laterality), len(view), ord(density)])
    y, x = np.mgrid[0:ROWS, 0:COLUMNS].astype(np.float32)
    centre_y = 330 if view == "CC" else 360
    inside = ((x / 330) ** 2 + ((y - centre_y) / 270) ** 2) < 1
    depth = np.clip(1 - ((x / 330) ** 2 + ((y - centre_y) / 270) ** 2), 0, 1)
    texture = cv2.GaussianBlur(generator.normal(size=(ROWS, COLUMNS)).astype(np.float32), (0, 0), 9)
    texture /= texture.std()
    tissue = {"A": 0.15, "B": 0.30, "C": 0.5, "D": 0.7}[density]
    picture = inside * (0.25 * np.sqrt(depth) + tissue * np.clip(0.4 + 0.5 * texture, 0, 1) * depth)
    if view == "MLO":
        muscle = (x / 190 + y / 420) < 1
        picture = np.where(muscle, 0.72 + 0.02 * texture, picture)
    if lesion_px:
        picture += (
            0.45
            * np.exp(-(((x - 150) ** 2 + (y - centre_y - 30) ** 2) / (2 * (lesion_px / 2) ** 2)))
            * inside
        )
    picture += generator.normal(scale=0.006, size=picture.shape) * (picture > 0)
    if (laterality == "R") != mirrored:
        picture = picture[:, ::-1]
    return (np.clip(picture, 0, 1) * 4095).astype(np.uint16)


def lvr1(pixels: np.ndarray, *, spacing_mm: float | None = 0.28, **more: int) -> bytes:
    """Pack pixels as the viewer's rendition: LVR1, header length, JSON header, zlib of uint16 little-endian; `more` is said too."""
    rows, columns = pixels.shape
    header = json.dumps(
        {
            "rows": rows,
            "columns": columns,
            "source_rows": rows,
            "source_columns": columns,
            "bits": 12,
            "window_center": 1600.0,
            "window_width": 3200.0,
            "spacing_mm": spacing_mm,
            **more,
        }
    ).encode()
    return (
        b"LVR1" + struct.pack("<I", len(header)) + header + zlib.compress(pixels.astype("<u2").tobytes(), 1)
    )


def png(pixels: np.ndarray, height: int = 160) -> bytes:
    """Return a small 8-bit PNG of the pixels."""
    eight_bit = np.clip(pixels / 16, 0, 255).astype(np.uint8)
    small = cv2.resize(
        eight_bit, (pixels.shape[1] * height // pixels.shape[0], height), interpolation=cv2.INTER_AREA
    )
    return bytes(cv2.imencode(".png", small)[1])


@lru_cache(maxsize=128)
def _stored(laterality: str, view: str, density: str, lesion_px: int, mirrored: bool) -> tuple[bytes, bytes]:
    """Return the rendition and the thumbnail of a breast; packing them takes longer than storing her visits."""
    pixels = breast(laterality, view, density, lesion_px, mirrored)
    return lvr1(pixels), png(pixels)


def woman(
    here: Installation,
    mrn: str,
    visits: Sequence[VisitPlan],
    *,
    name: str | None = None,
    birth_date: date | None = date(1968, 3, 2),
    simulated: bool = True,
    events: Sequence[tuple[EventKind, date, date | None, str]] = (),
    mirrored: bool = False,
) -> int:
    """Store a woman with her visits and return her row's id."""
    with here.database.write() as session:
        patient = Patient(mrn=mrn, name=name, birth_date=birth_date, simulated=simulated)
        session.add(patient)
        session.flush()
        for kind, on, end, detail in events:
            session.add(Event(patient_id=patient.id, kind=kind, event_date=on, end_date=end, detail=detail))
        done: list[dict[str, object]] = []
        for number, plan in enumerate(visits):
            _add_visit(here, session, patient, number, plan, done, mirrored)
        return patient.id


def _add_visit(
    here: Installation,
    session: Session,
    patient: Patient,
    number: int,
    plan: VisitPlan,
    earlier: list[dict[str, object]],
    mirrored: bool,
) -> None:
    uid = f"2.25.{patient.id}.{number + 1}"
    study = Study(
        uid=uid,
        patient_id=patient.id,
        study_date=plan.on,
        status=plan.status,
        refusal_reason="no_usable_view" if plan.status is StudyStatus.REFUSED else None,
        refusal_detail="No breast was found." if plan.status is StudyStatus.REFUSED else None,
        bi_rads=plan.bi_rads,
    )
    session.add(study)
    session.flush()
    shas = []
    for laterality, view in plan.views:
        sop_uid = (
            f"{uid}.{laterality}.{view}".replace("L", "1")
            .replace("R", "2")
            .replace("CC", "1")
            .replace("M1O", "2")
        )
        rendition, thumbnail = _stored(laterality, view, plan.density, plan.lesion_px, mirrored)
        sha256 = here.images.put(f"not a picture: {sop_uid}".encode())
        shas.append(sha256)
        session.add(
            Image(
                study_id=study.id,
                sop_uid=sop_uid,
                sha256=sha256,
                media_type="application/dicom",
                source_name=f"{laterality}{view}.dcm",
                laterality=Laterality(laterality),
                view=view,
                rows=ROWS,
                columns=COLUMNS,
                bits_stored=12,
                pixel_spacing_mm=0.28,
                window_center=1600.0,
                window_width=3200.0,
                rendition_sha256=here.images.put(rendition),
                thumbnail_sha256=here.images.put(thumbnail),
            )
        )
    if plan.risk_5y is None or plan.status is not StudyStatus.SCORED:
        return
    score = score_row(study, plan, earlier, shas)
    session.add(score)
    session.flush()
    for rule, message in plan.alerts:
        session.add(
            Alert(patient_id=patient.id, study_id=study.id, score_id=score.id, rule=rule, message=message)
        )


def another_image(
    here: Installation, study_uid: str, laterality: str, view: str, flags: Sequence[str] = ()
) -> str:
    """Store one more image of a study, after those it has, and return its SOP UID."""
    rendition, thumbnail = _stored(laterality, view, "B", 0, False)
    with here.database.write() as session:
        study = session.scalars(select(Study).where(Study.uid == study_uid)).one()
        sop_uid = f"{study_uid}.9.{len(study.images)}"
        session.add(
            Image(
                study_id=study.id,
                sop_uid=sop_uid,
                sha256=here.images.put(f"not a picture: {sop_uid}".encode()),
                media_type="application/dicom",
                source_name="more.dcm",
                laterality=Laterality(laterality),
                view=view,
                rows=ROWS,
                columns=COLUMNS,
                bits_stored=12,
                quality_flags=list(flags),
                rendition_sha256=here.images.put(rendition),
                thumbnail_sha256=here.images.put(thumbnail),
            )
        )
    return sop_uid


def score_row(study: Study, plan: VisitPlan, earlier: list[dict[str, object]], shas: Sequence[str]) -> Score:
    """Make a score as the plan says, with horizons that never fall and one contribution a visit."""
    assert plan.risk_5y is not None
    risks = {year: plan.risk_5y * year / 5 for year in range(1, 6)}
    densities = dict.fromkeys("abcd", 0.1) | {plan.density.lower(): 0.7}
    earlier.append(
        {
            "study_uid": study.uid,
            "study_date": plan.on.isoformat(),
            "value": (plan.risk_5y / 0.016 - 1) / 4,
            "risk_5y": plan.risk_5y,
        }
    )
    lateralities = {laterality for laterality, _ in plan.views}
    left = plan.malignancy_left if "L" in lateralities else None
    right = plan.malignancy_right if "R" in lateralities else None
    progression = plan.progression if len(earlier) > 1 else None
    known = {"malignancy_left": left, "malignancy_right": right, "progression": progression}
    return Score(
        study_id=study.id,
        model="longitudinal-sim",
        weights_sha256=WEIGHTS_SHA256,
        calibration="none",
        inputs={study.uid: list(shas)},
        computed_at=utc_now(),
        **known,
        **(_intervals(known) if plan.smallest_change is not None else {}),
        smallest_change=plan.smallest_change,
        **{f"risk_{year}y": value for year, value in risks.items()},
        **{f"risk_{year}y_low": value * 0.68 for year, value in risks.items()},
        **{f"risk_{year}y_high": min(1.0, value * 1.45) for year, value in risks.items()},
        **{f"density_{letter}": value for letter, value in densities.items()},
        priors=len(earlier) - 1,
        missing_views=[f"{s}-{v}" for s, v in FOUR_VIEWS if (s, v) not in plan.views],
        contributions=[dict(entry) for entry in earlier],
        moved=_moved(earlier),
        trust_level=plan.trust[0],
        trust_doubt=plan.trust[1],
        trust_distance=1.0,
        trust_limit=2.0,
    )


def _intervals(known: Mapping[str, float | None]) -> dict[str, float]:
    """Return each probability's interval: of twice and half its odds."""
    return {
        f"{name}_{end}": 1 / (1 + (1 / value - 1) / times)
        for name, value in known.items()
        if value
        for end, times in (("low", 0.5), ("high", 2.0))
    }


def another_score(here: Installation, study_uid: str, **changed: object) -> int:
    """Store a study's newest score once more, as made after it, with some columns changed; return its id."""
    with here.database.write() as session:
        last = session.scalars(
            select(Score).join(Study).where(Study.uid == study_uid).order_by(Score.id.desc()).limit(1)
        ).one()
        same = {c.key: getattr(last, c.key) for c in Score.__table__.columns if c.key != "id"}
        made = Score(**(same | {"computed_at": utc_now()} | changed))
        session.add(made)
        session.flush()
        return made.id


def _moved(visits: Sequence[Mapping[str, Any]]) -> dict[str, object] | None:
    """Part the change since the visit before: 0.4 of it by the left breast, -0.1 by the history, and so on."""
    if len(visits) < 2:
        return None
    before, now = (visit["risk_5y"] for visit in visits[-2:])
    change = math.log(now / (1 - now)) - math.log(before / (1 - before))
    shares = {"history": -0.1, "time and age": 0.2, "left breast": 0.4, "right breast": 0.5}
    return {
        "from": before,
        "to": now,
        "from_study": visits[-2]["study_uid"],
        "parts": [{"what": what, "log_odds": share * change} for what, share in shares.items()],
    }


def cohort(here: Installation, women: int = 24, *, seed: int = 7, today: date = date(2026, 11, 21)) -> None:
    """Store a cohort of simulated women with rising, steady, gappy and unusual courses."""
    generator = np.random.default_rng(seed)
    for number in range(1, women + 1):
        age = int(generator.integers(42, 74))
        visits_n = int(generator.integers(3, 8))
        rising = number % 4 == 1
        level = float(generator.uniform(0.006, 0.022))
        slope = float(generator.uniform(0.006, 0.012)) if rising else float(generator.normal(0, 0.0006))
        dates = [today - timedelta(days=int(generator.integers(5, 300 if number % 5 else 1200)))]
        for _ in range(visits_n - 1):
            dates.append(
                dates[-1]
                - timedelta(days=int(generator.choice([365, 380, 730, 1500], p=[0.5, 0.3, 0.15, 0.05])))
            )
        plans = []
        density = "ABBCCD"[int(generator.integers(0, 6))]
        for visit, on in enumerate(reversed(dates)):
            years = (on - dates[-1]).days / 365.25
            risk = float(np.clip(level + slope * years + generator.normal(0, 0.0008), 0.002, 0.6))
            last = visit == visits_n - 1
            suspicious = rising and last
            alerts = []
            if risk > 0.03 and last:
                alerts.append(("risk_high", f"5-year risk {risk:.1%} is above 3.0 %"))
            if suspicious and number % 8 == 1:
                alerts.append(("malignancy", "Suspicious breast: left 0.31"))
            plans.append(
                VisitPlan(
                    on=on,
                    risk_5y=risk,
                    malignancy_left=0.31 if suspicious else float(generator.uniform(0.005, 0.05)),
                    malignancy_right=float(generator.uniform(0.005, 0.05)),
                    progression=0.44 if suspicious else float(generator.uniform(0.02, 0.15)),
                    density=density,
                    views=FOUR_VIEWS if generator.random() > 0.1 else FOUR_VIEWS[:3],
                    lesion_px=(10 + 8 * visit) // 4 * 4 if rising else 0,
                    alerts=alerts,
                    smallest_change=0.35,
                )
            )
        if number == 6:
            plans[-1].status = StudyStatus.PENDING
        if number == 7:
            plans[-1].status = StudyStatus.REFUSED
        events = []
        if rising:
            biopsy = plans[-1].on - timedelta(days=200)
            events = [(EventKind.BIOPSY, biopsy, None, "core needle, left, benign")]
        if number == 5:
            events += [
                (EventKind.THERAPY, plans[0].on + timedelta(days=90), plans[1].on, "tamoxifen"),
                (EventKind.SURGERY, plans[0].on + timedelta(days=60), None, "lumpectomy, right"),
            ]
        woman(
            here,
            f"{number:05d}",
            plans,
            name=f"Sim-{number:04d}",
            birth_date=date(today.year - age, int(generator.integers(1, 13)), int(generator.integers(1, 28))),
            events=events,
        )
