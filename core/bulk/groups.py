"""Files of a batch grouped by woman and day before anything is taken in, with what is wrong and what has to be asked."""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from core.bulk.looked import Looked
from core.incoming import Statement, check_statement, names_agree


class Need(enum.StrEnum):
    """What has to happen with a group before it can be taken in."""

    NOTHING = "nothing"
    ANSWER = "answer"
    """Whose it is, of when, or which view is not known, and is asked."""
    CHECK = "check"
    """Something disagrees: a person looks and says that it is right."""
    REFUSED = "refused"
    """Nothing in it can be added; it can be handed in to be kept in quarantine."""
    HERE = "here"
    """All of it is stored already."""


@dataclass(frozen=True)
class Answer:
    """What a person says of a group: whose and when where the files do not, and side and view by the key of a file.

    `checked` says that she compared the views that only the files' names say with the pictures.
    """

    mrn: str | None = None
    on: date | None = None
    views: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)
    checked: bool = False


@dataclass(frozen=True)
class Group:
    """Files of one woman and day, or of one folder where these are not known, or those that will be refused.

    `doubts` are sentences that a person has to look at. `need` is without any answer.
    """

    key: str
    files: tuple[Looked, ...]
    mrn: str | None = None
    on: date | None = None
    doubts: tuple[str, ...] = ()
    need: Need = Need.NOTHING

    @property
    def name(self) -> str | None:
        """Return her name as the files have it."""
        return next((one.header.patient_name for one in self.files if one.header.patient_name), None)

    @property
    def birth_date(self) -> date | None:
        """Return her birth date as the files have it."""
        return next((one.header.birth_date for one in self.files if one.header.birth_date), None)

    @property
    def is_simulated(self) -> bool:
        """Return whether all files are of a simulated woman."""
        return all(one.header.simulated or (one.said and one.said.simulated) for one in self.files)

    @property
    def new_files(self) -> list[Looked]:
        """Return the files that are not stored already."""
        return [one for one in self.files if not one.is_here]

    @property
    def studies(self) -> int:
        """Return how many studies it will be, as far as its files say: machines may make several of one day."""
        return max(1, len({one.header.study_uid for one in self.files if one.header.study_uid}))

    def asked_views(self, answer: Answer | None = None) -> list[Looked]:
        """Return the files whose side or view no file says; with an answer, those that it does not say either."""
        said = answer.views if answer else {}
        return [
            one for one in self.new_files if not one.is_refused and None in (said.get(one.key) or one.view)
        ]

    def lacks(self, answer: Answer | None) -> list[str]:
        """Return in words what is still not said, as "whose they are"; empty where all is."""
        answer = answer or Answer()
        views = len(self.asked_views(answer))
        lacking = [
            *(["whose they are"] if not (self.mrn or (answer.mrn or "").strip()) else []),
            *(["the day of the study"] if not (self.on or answer.on) else []),
            *([f"side and view of {views} file{'s' if views > 1 else ''}"] if views else []),
        ]
        if not lacking and not answer.checked and any(one.proposed for one in self.asked_views()):
            lacking = ["that side and view, which only the names say, are right"]
        return [] if self.need in (Need.REFUSED, Need.HERE) else lacking

    def statement(self, answer: Answer | None, looked: Looked) -> Statement | None:
        """Return what is said of a file when it is taken in; None where it says all of it itself.

        Raises `ValueError` for what cannot be meant.
        """
        answer = answer or Answer()
        mrn, on = self.mrn or answer.mrn, self.on or answer.on
        side, view = answer.views.get(looked.key) or (None, None)
        asked = not (looked.mrn and looked.on) or bool(side and view) or self.need is Need.CHECK
        if self.need is Need.REFUSED or not (mrn and on) or not asked:
            return looked.said
        views = (
            {looked.name: (side, view)} if side and view else dict(looked.said.views if looked.said else {})
        )
        told = looked.said
        said = Statement(
            mrn=mrn.strip(),
            study_date=on,
            birth_date=told.birth_date if told else None,
            views=views,
            simulated=bool(told and told.simulated),
        )
        check_statement(said)
        return said


_ORDER = [Need.REFUSED, Need.CHECK, Need.ANSWER, Need.NOTHING, Need.HERE]


def grouped(files: Iterable[Looked]) -> list[Group]:
    """Return the files in groups, problems first, then by woman and day."""
    files = sorted(files, key=lambda one: one.name)
    refused = tuple(one for one in files if one.is_refused)
    by: defaultdict[tuple[str, str, str], list[Looked]] = defaultdict(list)
    for one in files:
        if not one.is_refused:
            known = one.mrn is not None and one.on is not None
            by[one.mrn or "", one.on.isoformat() if one.on else "", "" if known else one.folder].append(one)
    two_women = _two_women([one for one in files if not one.is_refused])
    groups = [_group(of, two_women) for of in by.values()]
    if refused:
        groups.append(Group("refused", refused, need=Need.REFUSED))
    return sorted(
        groups, key=lambda one: (_ORDER.index(one.need), one.mrn or "", one.on or date.min, one.key)
    )


def _group(files: list[Looked], two_women: Mapping[str, str]) -> Group:
    first = files[0]
    doubts = [two_women[first.mrn]] if first.mrn and first.mrn in two_women else []
    for one in files:
        if not one.is_here:
            if one.may_insist and one.foreseen is not None:
                doubts.append(f"{one.name}: {one.foreseen.detail}")
            doubts += [f"{one.name}: {text}" for text in one.examined.contradictions]
    key = "|".join([first.mrn or "", first.on.isoformat() if first.on else "", first.folder])
    group = Group(key, tuple(files), first.mrn, first.on, tuple(dict.fromkeys(doubts)))
    if all(one.is_here for one in files):
        need = Need.HERE
    elif group.lacks(None):
        need = Need.ANSWER
    else:
        need = Need.CHECK if doubts else Need.NOTHING
    return Group(key, group.files, group.mrn, group.on, group.doubts, need)


def _two_women(files: Iterable[Looked]) -> dict[str, str]:
    """Return, by MRN, how the files of a batch disagree about who she is."""
    by: defaultdict[str, list[Looked]] = defaultdict(list)
    for one in files:
        if one.mrn:
            by[one.mrn].append(one)
    said = {}
    for mrn, hers in by.items():
        kinds = []
        names = _unlike(one.header.patient_name for one in hers)
        born = {one.header.birth_date.isoformat() for one in hers if one.header.birth_date}
        sexes = {one.header.sex for one in hers if one.header.sex}
        if len(names) > 1:
            kinds.append("named " + " and ".join(names))
        if len(born) > 1:
            kinds.append("born " + " and ".join(sorted(born)))
        if len(sexes) > 1:
            kinds.append("sex " + " and ".join(sorted(sexes)))
        if kinds:
            said[mrn] = f"Files under the number {mrn} are {'; '.join(kinds)}: two women?"
    return said


def _unlike(names: Iterable[str | None]) -> list[str]:
    """Return one of each kind of names that cannot be one woman's."""
    kinds: list[str] = []
    for name in names:
        if name and not any(names_agree(name, other) for other in kinds):
            kinds.append(name)
    return kinds
