"""The PACS that priors are fetched from: what it says it has of a woman, and how its objects come here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from core.images import names_breast
from core.outages import MachineFailed

__all__ = ["BREAST_ALONE", "Pacs", "PacsFailed", "RemoteObject", "in_series", "is_wanted", "query_of"]

LONGEST_MRN = 64
BREAST_ALONE = "MG"
"""The modality whose series show the breast by themselves; of others only those that say so are fetched."""


class PacsFailed(MachineFailed):
    """The PACS cannot be reached, or does not do what it is asked; the sentence says which."""


@dataclass(frozen=True)
class RemoteObject:
    """One object as the PACS lists it. `patient_id` and `issuer` are what it says of its study; `issuer` "" without."""

    patient_id: str
    issuer: str
    study_uid: str
    study_date: str
    series_uid: str
    modality: str
    sop_uid: str
    sop_class: str


class Pacs(Protocol):
    """A PACS by one of the ways that it may be asked."""

    name: str
    """What it is called, for people and the audit trail."""

    def search(self, mrn: str, modalities: Sequence[str]) -> Iterator[RemoteObject]:
        """Yield the objects of these modalities that it has under an MRN; it may take more for a match than is one."""
        ...

    def fetch(self, wanted: Sequence[RemoteObject]) -> Iterator[tuple[str, bytes | None]]:
        """Yield each object that comes, by SOP Instance UID; without bytes where it comes by the listener."""
        ...


def query_of(mrn: str) -> str:
    r"""Return the key by which a PACS is asked for an MRN; raises `ValueError` for what no PACS can be asked for.

    DICOM has no way to write ``*`` and ``?`` for themselves, and ``\`` parts one value from the next (PS3.4 C.2.2.2). In
    their place stands the sign for any one character, and what is found by that is compared letter by letter afterwards.

    >>> query_of("A*7")
    'A?7'
    """
    plain = mrn.strip()
    if not plain or len(plain) > LONGEST_MRN or not plain.isprintable():
        raise ValueError(f"An MRN has 1 to {LONGEST_MRN} printable characters.")
    key = "".join("?" if character in "*?\\" else character for character in plain)
    if not key.strip("?"):
        raise ValueError("By this MRN a PACS would be asked for everybody.")
    return key


def is_wanted(
    modality: str, body_part: str, descriptions: Iterable[str], *, modalities: Sequence[str]
) -> bool:
    """Return whether a series, as the PACS lists it, is one of the breast of these modalities.

    An ultrasound or MR of another part of the body would only fill the quarantine. Where the PACS says nothing of it, the
    files are asked when they are here.

    >>> is_wanted("MR", "", ["MRT Schaedel", ""], modalities=["MG", "MR"])
    False
    """
    if modality not in modalities:
        return False
    said = [words for words in ([body_part] if body_part else descriptions) if words]
    return modality == BREAST_ALONE or not said or any(names_breast(words) for words in said)


def in_series(wanted: Iterable[RemoteObject], most: int) -> Iterator[list[RemoteObject]]:
    """Yield objects of one series together, at most so many."""
    series: dict[tuple[str, str], list[RemoteObject]] = {}
    for one in wanted:
        series.setdefault((one.study_uid, one.series_uid), []).append(one)
    for some in series.values():
        for first in range(0, len(some), most):
            yield some[first : first + most]
