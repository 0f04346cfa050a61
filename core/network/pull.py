"""Fetching a woman's priors from the PACS: what it has under her MRN and is not here comes in, as any other file does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import select

from core.incoming import IncomingFile, ItemReport
from core.installation import Installation
from core.network.delivery import Delivery
from core.network.held import held, outcomes
from core.network.pacs.opening import open_pacs
from core.network.pacs.remote import Pacs, RemoteObject, query_of
from core.network.peek import said
from core.outages import MachineFailed
from core.people import Permission, Person, audit, require
from core.people.needing import needs
from core.refusals import Refusal
from db.tables import Outcome, Patient

__all__ = ["Pulled", "pull_priors"]


@dataclass
class Pulled:
    """What came of fetching one woman's priors.

    `found` objects are hers in the PACS, `here` of them were here before, `failed` were not given. `others` were listed and
    are another's: an MRN that is not hers to the letter, or that another issuer gave. With `cut_short` the rest can be
    fetched again.
    """

    patient: str
    pacs: str
    found: int = 0
    here: int = 0
    others: int = 0
    failed: int = 0
    items: list[ItemReport] = field(default_factory=list)
    cut_short: str | None = None

    @property
    def wanted(self) -> int:
        """Return how many objects are to come."""
        return self.found - self.here

    @property
    def sentence(self) -> str:
        """Say what was found and what came of it."""
        if not self.found:
            return f"The PACS has nothing of {self.patient} that is fetched."
        if not self.wanted:
            return f"What the PACS has of {self.patient} is here already: {_images(self.found)}."
        parts = [f"{_images(self.found)} of {self.patient} in the PACS"]
        before = self.here + self.count(Outcome.DUPLICATE)
        if before:
            parts.append(f"{before} here before")
        parts.append(f"{self.count(Outcome.ACCEPTED)} new")
        if self.count(Outcome.QUARANTINED):
            parts.append(f"{self.count(Outcome.QUARANTINED)} in quarantine")
        if self.failed:
            parts.append(f"{self.failed} not received")
        return ", ".join(parts) + "."

    def count(self, outcome: str) -> int:
        """Return how many of what came ended that way."""
        return sum(item.outcome == outcome for item in self.items)

    def to_json(self) -> dict[str, Any]:
        """Return the shape of ``pull --json``."""
        counts = {outcome.value: self.count(outcome) for outcome in Outcome}
        items = [{**asdict(item), "detail": item.text} for item in self.items]
        numbers = {"found": self.found, "here": self.here, "others": self.others, "failed": self.failed}
        return {
            "patient": self.patient,
            "pacs": self.pacs,
            **numbers,
            "items": items,
            **counts,
            "cut_short": self.cut_short,
        }


def _images(number: int) -> str:
    return f"{number} image" if number == 1 else f"{number} images"


@needs(Permission.ADD_STUDY)
def pull_priors(
    here: Installation,
    mrn: str,
    *,
    person: Person | None = None,
    on_step: Callable[[Pulled], None] | None = None,
    pacs: Pacs | None = None,
) -> Pulled:
    """Fetch what the PACS has of a woman and is not here; her later studies are scored anew with it.

    `person` is who asks, None at the terminal; `on_step` is told after the search and after each object.

    Raises `NoPacs` where none is set, `ValueError` for what is no MRN, `AccessDenied`, `PacsFailed` where it cannot be
    searched, and `OwnAdminNeeded` as `core.incoming.take_in` does. What fails after that is said in the report.
    """
    if person is not None:
        require(person, Permission.ADD_STUDY)
    query_of(mrn)
    pacs = pacs or open_pacs(here)
    pulled = Pulled(mrn.strip(), pacs.name)
    hers = _hers(here, pulled, list(pacs.search(pulled.patient, _modalities(here))))
    wanted = _not_here(here, pulled, hers)
    tell = on_step or (lambda _pulled: None)
    tell(pulled)
    if wanted:
        try:
            with Delivery(here, source="pull", sender=pacs.name, person=person) as delivery:
                _take(here, pacs, wanted, delivery, pulled, tell)
        except MachineFailed as error:  # the PACS in the middle of it, or this machine
            pulled.cut_short = str(error)
        finally:
            pulled.failed = pulled.wanted - len(pulled.items)
    counts = {key: value for key, value in pulled.to_json().items() if isinstance(value, int)}
    audit.note(here, person, "priors_fetched", f"patient:{pulled.patient}", {"pacs": pulled.pacs, **counts})
    return pulled


def _modalities(here: Installation) -> list[str]:
    return [part.strip().upper() for part in here.settings.pacs_modalities.split(",") if part.strip()]


def _hers(here: Installation, pulled: Pulled, listed: Sequence[RemoteObject]) -> list[RemoteObject]:
    """Return what is listed under her MRN to the letter, and given by the same issuer where both are known."""
    with here.database.read() as session:
        issuer = session.scalar(select(Patient.mrn_issuer).where(Patient.mrn == pulled.patient))
    hers = {
        one.sop_uid: one
        for one in listed
        if one.patient_id == pulled.patient and (not issuer or one.issuer in ("", issuer))
    }
    pulled.found, pulled.others = len(hers), len({one.sop_uid for one in listed}) - len(hers)
    return list(hers.values())


def _not_here(here: Installation, pulled: Pulled, hers: Sequence[RemoteObject]) -> list[RemoteObject]:
    known = held(here, (one.sop_uid for one in hers))
    pulled.here = len(known)
    wanted = [one for one in hers if one.sop_uid not in known]
    # The earliest first: then each study that comes is scored with all of her priors that there are.
    return sorted(wanted, key=lambda one: (one.study_date, one.study_uid, one.series_uid))


def _take(
    here: Installation,
    pacs: Pacs,
    wanted: Sequence[RemoteObject],
    delivery: Delivery,
    pulled: Pulled,
    tell: Callable[[Pulled], None],
) -> None:
    for sop_uid, data in pacs.fetch(wanted):
        item = (
            _by_listener(here, sop_uid)
            if data is None
            else delivery.deliver(_file(here, pulled, sop_uid, data))
        )
        if item is not None:
            pulled.items.append(item)
            tell(pulled)


def _file(here: Installation, pulled: Pulled, sop_uid: str, data: bytes) -> IncomingFile:
    """Return an object as a file; refused where it says another patient than the one under whom the PACS lists it."""
    most = here.settings.max_file_mb * 1_000_000
    says = said(data, "PatientID", most_bytes=most).get("PatientID")
    refusal = None
    if says and says != pulled.patient:
        refusal = Refusal("other_patient", f"The PACS lists it under {pulled.patient}; the file says {says}.")
    return IncomingFile(f"{sop_uid}.dcm", data, refusal, sop_uid=sop_uid)


def _by_listener(here: Installation, sop_uid: str) -> ItemReport | None:
    """Return how an object ended that came to the DICOM port; None if it did not come."""
    found = outcomes(here, [sop_uid]).get(sop_uid)
    return None if found is None else ItemReport(f"{sop_uid}.dcm", found[0].value, reason=found[1])
