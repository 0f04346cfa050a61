"""What tests of corrections share: three women, what everybody sees of them, and a worker that needs no networks."""

from datetime import date

from sqlalchemy import select

from core.corrections import corrections_of, studies_with_films
from core.installation import Installation
from core.records import lesions_of_patient, record_of, worklist
from core.worker.queue import settle
from db.tables import (
    EventKind,
    Image,
    Laterality,
    Lesion,
    Measurement,
    Patient,
    Study,
    StudyStatus,
)
from tests import factories
from tests.factories import VisitPlan

DAYS = (date(2019, 4, 1), date(2021, 6, 1), date(2023, 3, 5))
TODAY = date(2026, 11, 28)
MRNS = ("A", "B", "C")


def women(here: Installation) -> None:
    """A with three visits, an alert, an event and a lesion; B with two visits of hers; C with one."""
    risks = (0.010, 0.014, 0.035)
    factories.woman(
        here,
        "A",
        [
            VisitPlan(day, risk, alerts=[("risk_high", "5-year risk is 3.5 %")] if day == DAYS[-1] else ())
            for day, risk in zip(DAYS, risks, strict=True)
        ],
        name="Doe^Jane",
        events=[(EventKind.BIOPSY, date(2021, 7, 1), None, "core")],
    )
    factories.woman(here, "B", [VisitPlan(DAYS[0]), VisitPlan(date(2022, 1, 9))], name="Doe^Jane Mary")
    factories.woman(here, "C", [VisitPlan(DAYS[1], views=(("R", "CC"), ("L", "CC")))], birth_date=None)
    with here.database.write() as session:
        image = session.scalars(select(Image).where(Image.sop_uid == film(here, "A", DAYS[1], "R-CC"))).one()
        a = session.scalars(select(Patient).where(Patient.mrn == "A")).one()
        lesion = Lesion(patient_id=a.id, laterality=Laterality.RIGHT, label="Mass 1")
        session.add(lesion)
        session.flush()
        session.add(
            Measurement(
                lesion_id=lesion.id, image_id=image.id, view_code="R-CC", diameter_mm=9.0, x0=1, y0=1, x1=30, y1=30
            )
        )  # fmt: skip


def study(here: Installation, mrn: str, on: date) -> str:
    """Return the UID of a woman's study of a day."""
    return next(one.study_uid for one in studies_with_films(here, mrn) if one.on == on)


def film(here: Installation, mrn: str, on: date, code: str) -> str:
    """Return the SOP UID of a woman's film of a day and view that counts."""
    return next(
        one.sop_uid
        for of in studies_with_films(here, mrn)
        if of.on == on
        for one in of.films
        if one.view.code == code
    )


def seen(here: Installation, mrns: tuple[str, ...] = MRNS) -> dict[str, object]:
    """Return what pages show of the women, the worklist, and which corrections stand."""
    found: dict[str, object] = {}
    for mrn in mrns:
        found[mrn] = record_of(here, mrn)
        found[f"lesions of {mrn}"] = lesions_of_patient(here, mrn)
        found[f"films of {mrn}"] = studies_with_films(here, mrn)
        found[f"corrected of {mrn}"] = [
            one.correction_id for one in corrections_of(here, mrn) if not one.is_undone
        ]
    found["worklist"] = worklist.rows(here, today=TODAY)
    return found


def score_what_waits(here: Installation) -> list[tuple[str, date]]:
    """Score what waits as a worker would, oldest first, with a number that nothing else has; return what it was."""
    done = []
    with here.database.write() as session:
        waiting = session.scalars(
            select(Study).where(Study.status == StudyStatus.PENDING).order_by(Study.study_date, Study.id)
        ).all()
        for one in waiting:
            done.append((one.patient.mrn, one.study_date))
            shas = [image.sha256 for image in one.images]
            risk = 0.001 + (sum(map(ord, "".join(shas))) % 977) / 50_000
            session.add(factories.score_row(one, VisitPlan(one.study_date, risk), [], shas))
            settle(one, StudyStatus.SCORED)
    return done


def waiting(here: Installation) -> list[tuple[str, date]]:
    """Return whose studies wait to be scored, and of when."""
    with here.database.read() as session:
        return [
            (one.patient.mrn, one.study_date)
            for one in session.scalars(
                select(Study).where(Study.status == StudyStatus.PENDING).order_by(Study.study_date, Study.id)
            )
        ]
