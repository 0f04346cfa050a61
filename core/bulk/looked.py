"""One file of a batch that was looked at: what it is, whose and of when, and what the intake would say of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath

from core.images import Header
from core.incoming import Examined, Statement, named_view
from core.refusals import Refusal
from core.rules.vocabulary import BOTH_BREASTS, SHOW_BOTH

ASKED = frozenset({"no_identity", "no_study_date", "unknown_laterality", "unknown_view"})
"""What a person can say where a file does not; all other refusals are final, but for `identity_conflict`."""


@dataclass(frozen=True)
class Looked:
    """A file of a batch. `key` names it in the batch, `arrival` and `number` where it lies (an archive holds many).

    `said` is what a manifest says of it, `foreseen` why it would be refused as things stand. `may_insist` says that this
    is a doubt about who she is, which a person may settle.
    """

    arrival: str
    number: int
    examined: Examined
    said: Statement | None = None
    foreseen: Refusal | None = None
    may_insist: bool = False
    has_picture: bool = False

    @property
    def key(self) -> str:
        """Return the name of the file in its batch."""
        return f"{self.arrival}/{self.number}"

    @property
    def name(self) -> str:
        """Return the file's name, with folders and archive."""
        return self.examined.name

    @property
    def folder(self) -> str:
        """Return the folder or archive that it came in; empty for a file by itself."""
        parent = str(PurePosixPath(self.name).parent)
        return "" if parent == "." else parent

    @property
    def header(self) -> Header:
        """Return what the file says of itself."""
        return self.examined.header or Header()

    @property
    def mrn(self) -> str | None:
        """Return whose it is, as a manifest or the file says."""
        if self.said is not None:
            return self.said.mrn
        # An ID that stands for nobody is asked, as one that is not there.
        nobody = "patient_id" in self.header.unusable or self._lacks("no_identity")
        return None if nobody else self.header.patient_id

    @property
    def on(self) -> date | None:
        """Return the day of its study, as a manifest or the file says."""
        if self.said is not None:
            return self.said.study_date
        # A day that cannot be is asked, as one that is not there.
        return None if self._lacks("no_study_date") else self.header.study_date

    def _lacks(self, reason: str) -> bool:
        return self.foreseen is not None and self.foreseen.reason == reason

    @property
    def view(self) -> tuple[str | None, str | None]:
        """Return side and view, as a manifest or the file says."""
        told = next(iter(self.said.views.values()), None) if self.said is not None else None
        if told is None and self.examined.laterality is None and self.examined.view in SHOW_BOTH:
            return BOTH_BREASTS, self.examined.view
        return told or (self.examined.laterality, self.examined.view)

    @property
    def proposed(self) -> tuple[str, str] | None:
        """Return side and view that only its name says; a person has to confirm them."""
        if self.view != (None, None):
            return None
        return named_view(PurePosixPath(self.name).name)

    @property
    def is_refused(self) -> bool:
        """Return whether nothing that a person says would bring it in."""
        refusal = self.examined.refusal or self.foreseen
        return refusal is not None and refusal.reason not in ASKED and not self.may_insist

    @property
    def is_here(self) -> bool:
        """Return whether the same image is stored already, where it would go."""
        return self.examined.duplicate_of is not None and self.foreseen is None

    @property
    def refusal(self) -> Refusal | None:
        """Return why it would be refused as things stand."""
        return self.examined.refusal or self.foreseen
