"""How often each rule for alerts fires on the cohort at hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, or_, select

from core.installation import Installation
from core.people.needing import SIGNED_IN, needs
from core.records import cards, worklist
from core.records.covered import covered_study_ids
from core.rules import AlertRule, TrustLevel, alert_rules
from db.tables import Alert, Score, Study

__all__ = ["AlertRate", "rates_of_alerts"]


@dataclass(frozen=True)
class AlertRate:
    """A rule, and of how many women it speaks: `women` of `of` whom it was asked of."""

    rule: AlertRule
    women: int
    of: int

    @property
    def per_hundred(self) -> float | None:
        """Return how many that is of a hundred women; None where it was asked of nobody."""
        return 100 * self.women / self.of if self.of else None


@needs(SIGNED_IN)
def rates_of_alerts(here: Installation, *, today: date) -> list[AlertRate]:
    """Return all rules, most urgent first, with the women of whom they speak.

    A rule on a score is asked of the women with a score that may be told, and counts those with an alert that is open or
    that a person acknowledged, unless its study is covered until it is read; one that a newer score closed does not count any more. The others are asked of all women
    with a study.
    """
    stands = or_(Alert.acknowledged_at.is_(None), Alert.acknowledged_by_id.is_not(None))
    scored = Score.model == cards.speaking(here), Score.trust_level == TrustLevel.TRUSTED.value
    with here.database.read() as session:
        covered = covered_study_ids(here, session)
        fired = session.execute(
            select(Alert.rule, Alert.patient_id, Alert.study_id)
            .join(Study, Study.id == Alert.study_id)
            .join(Score, Score.id == Alert.score_id)
            .where(stands)
        ).all()
        told = session.scalar(
            select(func.count(Study.patient_id.distinct()))
            .join(Score, Score.study_id == Study.id)
            .where(*scored)
        )
    by_rule = Counter(
        rule for rule, _ in {(a.rule, a.patient_id) for a in fired if a.study_id not in covered}
    )
    seen = [row for row in worklist.rows(here, today=today) if row.studies]
    as_of_today = Counter(notice.rule for row in seen for notice in row.notices)
    return [
        AlertRate(rule, by_rule[rule.rule], told or 0)
        if rule.is_of_a_score
        else AlertRate(rule, as_of_today[rule.rule], len(seen))
        for rule in alert_rules()
    ]
