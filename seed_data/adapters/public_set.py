"""What an adapter is made of: the description of a public data set, the rows it yields, and what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Account", "ExamRow", "PublicSet", "WrongLayout"]

Box = tuple[float, float, float, float]


class WrongLayout(ValueError):
    """The folder is not the data set as published; the message names what is missing."""


@dataclass(frozen=True, slots=True)
class ExamRow:
    """One row of an exam manifest as the data set states it; empty where it states nothing.

    `path` is where the image lies; `roi` is x0, y0, x1, y1 in pixels of it, origin top left; dates are ISO;
    `more` holds columns of the set's own, such as its BI-RADS category; `where` says where the row was read.
    """

    where: str
    patient_id: str
    path: Path
    laterality: str = ""
    view: str = ""
    study_date: str = ""
    modality: str = "MG"
    age: str = ""
    finding: str = ""
    density: str = ""
    roi: Box | None = None
    cancer_date: str = ""
    cancer_laterality: str = ""
    last_followup_date: str = ""
    split: str = ""
    more: dict[str, str] = field(default_factory=dict)


@dataclass
class Account:
    """What an adapter answers for: rows it could not use, what it left aside on purpose, and what it has to say.

    Attributes
    ----------
    left_out
        Where each row stood that cannot be used, why, and of which image or woman.
    aside
        Why images were left aside on purpose (a kind of image that is not read), and how many.
    notes
        What else the user should know, and how often it happened.
    """

    left_out: list[tuple[str, str, str]] = field(default_factory=list)
    aside: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)

    def leave_out(self, where: str, why: str, what: str = "") -> None:
        """Record that a row cannot be used: where it stands, why, and of which image or woman."""
        self.left_out.append((where, why, what))

    @property
    def reasons(self) -> Counter[str]:
        """Return how many rows were left out for each reason."""
        return Counter(why for _, why, _ in self.left_out)


@dataclass(frozen=True)
class PublicSet:
    """One public data set: what it is, what the user has to have on disk, and how its words are understood.

    Attributes
    ----------
    name, title, source
        The name on the command line, the set's own name, and whom to cite.
    terms
        Under which terms it is given out, in a few words; a user has to know them.
    layout
        What must lie in the folder, in a sentence.
    dates
        What is known of dates, and what stands in the manifest.
    findings
        What counts as normal, benign and malignant.
    outcome
        Where the cancer's date and the last follow-up come from; empty where the set follows nobody.
    more
        Columns of the set's own that are written beside those of the manifest.
    read
        Reads a folder and yields rows; raises `WrongLayout`. `out` is where converted images may be written.
    """

    name: str
    title: str
    source: str
    terms: str
    layout: str
    dates: str
    findings: str
    outcome: str
    more: tuple[str, ...]
    read: Callable[[Path, Path, Account], Iterator[ExamRow]]
