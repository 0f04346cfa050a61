"""Merging two records that are one woman's."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from core.corrections.asked import CorrectionRefused, Merged
from core.corrections.work import Work, and_, check_born, who, woman_called
from core.incoming import names_agree
from db.sessions import WITH_PUT_AWAY
from db.tables import Event, Lesion, Patient, RiskFactors, Study

__all__ = ["merge"]


def merge(work: Work, ask: Merged) -> None:
    """Let all of one record go to another one, and its MRN lead there."""
    kept, gone = woman_called(work.session, ask.kept), woman_called(work.session, ask.gone)
    if kept.id == gone.id:
        raise CorrectionRefused("Both MRNs lead to the same woman already.")
    if kept.simulated != gone.simulated:
        raise CorrectionRefused("Simulated and real women are never put together.")
    work.conflicts += _differences(kept, gone)
    hers = select(Study).where(Study.patient_id == gone.id)
    # Also those that were put away: undoing what emptied them leads to her.
    studies = work.session.scalars(hers, execution_options=WITH_PUT_AWAY).all()
    for study in studies:
        check_born(kept, study.study_date)
    moved = {
        "study": _all_go(work, studies, kept),
        "event": _all_go(work, gone.events, kept),
        "lesion": _all_go(work, gone.lesions, kept),
        "entry of risk factors": _all_go(work, _free_of_clash(work, kept, gone), kept),
    }
    both = sorted({one.label for one in kept.lesions} & {one.label for one in gone.lesions})
    if both:
        work.notes.append(f"Both have a {and_(both)}: rename one on her page, or join the two.")
    said = and_(f"{n} {what if n == 1 else _plural(what)}" for what, n in moved.items() if n)
    _fill_in(work, kept, gone)
    work.ledger.put_away(gone)
    work.ledger.set(gone, merged_into_id=kept.id)
    moves = f"{said} of hers go there" if said else "nothing else is recorded under it"
    work.done.append(f"{who(gone)} is merged into {who(kept)}: {moves}.")
    work.notes.append(
        f"MRN {gone.mrn} leads to her from then on, in the search and for files that come with it."
    )


def _all_go(work: Work, rows: Iterable[Study | Event | Lesion | RiskFactors], to: Patient) -> int:
    return sum(work.ledger.set(row, patient_id=to.id) for row in list(rows))


def _free_of_clash(work: Work, kept: Patient, gone: Patient) -> list[RiskFactors]:
    taken = {one.recorded_on for one in kept.risk_factors}
    clashing = [one for one in gone.risk_factors if one.recorded_on in taken]
    if clashing:
        days = and_(str(one.recorded_on) for one in clashing)
        work.notes.append(f"Of the risk factors of {days} those of {who(kept)} count.")
    return [one for one in gone.risk_factors if one not in clashing]


def _fill_in(work: Work, kept: Patient, gone: Patient) -> None:
    """Write into her record what only the other one knows, and the other name beside hers."""
    for fact in ("name", "birth_date", "sex", "mrn_issuer"):
        if getattr(kept, fact) is None:
            work.ledger.set(kept, **{fact: getattr(gone, fact)})
    others = [*(kept.other_names or "").splitlines(), gone.name, *(gone.other_names or "").splitlines()]
    new = list(dict.fromkeys(name for name in others if name and name != kept.name))
    work.ledger.set(kept, other_names="\n".join(new) or None)


def _differences(kept: Patient, gone: Patient) -> list[str]:
    found = []
    if kept.name and gone.name and not names_agree(kept.name, gone.name):
        found.append(f"{kept.mrn} is named {kept.name}, {gone.mrn} {gone.name}.")
    if kept.birth_date and gone.birth_date and kept.birth_date != gone.birth_date:
        found.append(f"{kept.mrn} is born {kept.birth_date}, {gone.mrn} {gone.birth_date}.")
    if kept.sex and gone.sex and kept.sex != gone.sex:
        found.append(f"The sex of {kept.mrn} is {kept.sex.value}, of {gone.mrn} {gone.sex.value}.")
    if kept.mrn_issuer and gone.mrn_issuer and kept.mrn_issuer != gone.mrn_issuer:
        found.append(f"{kept.mrn} was given by {kept.mrn_issuer}, {gone.mrn} by {gone.mrn_issuer}.")
    return found


def _plural(what: str) -> str:
    return {"study": "studies", "entry of risk factors": "entries of risk factors"}.get(what, f"{what}s")
