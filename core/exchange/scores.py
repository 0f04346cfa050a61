"""What the model that speaks said of a woman's studies, in the shape of ``score --json``, as far as a person may be told it.

A token acts for a person: a study that is covered until it is read is covered here too, what may not be believed as well.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from sqlalchemy import select

from core.exchange.listed import NotHere
from core.installation import Installation
from core.people import Permission, Person
from core.people.needing import needs
from core.records import COVERED, cards, covered_study_ids
from core.records.trusted import trust_and_rank
from core.rules import RiskEnds, latest_score_ids, risk_ends_of
from core.worker import item_of
from db.tables import Patient, Score, Study

__all__ = ["scores_of"]


@needs(Permission.SEE_PATIENTS)
def scores_of(
    here: Installation, person: Person, patient_id: int, *, study_uid: str | None = None
) -> list[dict[str, Any]]:
    """Return the newest score of each of her studies, oldest first; of one study only its own.

    Raises `AccessDenied`, and `NotHere` where one study is asked for that has no score.
    """
    with here.database.read() as session:
        mrn = session.scalar(select(Patient.mrn).where(Patient.id == patient_id))
        ends = risk_ends_of(session, patient_id)
        covered = covered_study_ids(here, session, Study.patient_id == patient_id)
        query = (
            select(Score, Study)
            .join(Study, Study.id == Score.study_id)
            .where(Score.id.in_(latest_score_ids(cards.speaking(here), patient_id=patient_id)))
            .order_by(Study.study_date, Study.id)
        )
        if study_uid is not None:
            query = query.where(Study.uid == study_uid)
        rows = session.execute(query).all()
    if study_uid is not None and not rows:
        raise NotHere("This study has no score yet by the model that speaks.")
    return [_said(here, row.Score, row.Study, str(mrn), ends, covered) for row in rows]


def _said(
    here: Installation, score: Score, study: Study, mrn: str, ends: RiskEnds, covered: Collection[int]
) -> dict[str, Any]:
    trust, rank = trust_and_rank(here, score, on=study.study_date, ends=ends)
    item = item_of(score, study, mrn, cards.settings_of(here, score.weights_sha256), ends)
    said = replace(item, trust=trust, rank=rank).to_json()
    said |= {
        "weights_sha256": score.weights_sha256,
        "calibration": score.calibration,
        "computed_at": score.computed_at,
        "covered": None,
    }
    if study.id in covered:
        # Numbers by their names, so that nothing is told that a later shape adds.
        kept = ("patient", "study_uid", "study_date", "model", "weights_sha256", "calibration", "computed_at")
        empty = {
            "malignancy": {"L": None, "R": None},
            "progression": None,
            "intervals": None,
            "risk": {str(year): {"value": None, "low": None, "high": None} for year in range(1, 6)},
            "density": dict.fromkeys("ABCD"),
            "trust": None,
            "moved": None,
            "rank": None,
        }
        return {name: said[name] for name in kept} | empty | {"covered": COVERED}
    return said
