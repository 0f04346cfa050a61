"""Response of a tumour to treatment by RECIST 1.1, from the diameters of a woman's lesions at her visits.

Every rule is of Eisenhauer et al., New response evaluation criteria in solid tumours, European Journal of Cancer 45
(2009) 228-247, the section beside it, or of the questions and answers that the EORTC keeps to it (recist.eortc.org/faq).
On mammograms the criteria were never agreed on: there the answer is called RECIST-like.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = [
    "BREAST",
    "LYMPH_NODE",
    "TOO_SMALL_MM",
    "LesionSize",
    "Response",
    "TimepointResponse",
    "responses",
    "target_lesions",
]

TARGET_MM = 10.0
"""Least longest diameter of a target lesion at baseline (section 3.1.1)."""
TARGET_NODE_MM = 15.0
"""Least short axis of a target lymph node at baseline; from `NORMAL_NODE_MM` on it is pathological (section 3.1.1)."""
NORMAL_NODE_MM = 10.0
"""A node with a smaller short axis is normal (section 3.1.1), and counts as gone (section 4.3.1)."""
TARGETS_AN_ORGAN, TARGETS_IN_ALL = 2, 5
"""Section 4.2; all lymph nodes are one organ (EORTC, two target lesions)."""
PARTIAL_SHARE = 0.30
"""A sum smaller by this share than the baseline's is a partial response (section 4.3.1)."""
PROGRESSION_SHARE, PROGRESSION_MM = 0.20, 5.0
"""A sum greater than the nadir by this share and by this length is progression (section 4.3.1)."""
TOO_SMALL_MM = 5.0
"""What stands for a lesion that is seen and too small to measure (section 4.3.2)."""
_ROUNDING_MM = 1e-6
"""Lengths that differ by less are one length: sums of decimal fractions miss a limit by a rounding."""

BREAST, LYMPH_NODE = "breast", "lymph node"
"""The organs of a lesion and of a node of which no organ is said."""


class Response(enum.StrEnum):
    """What is said of one visit; the baseline is what the others are compared with."""

    BASELINE = "baseline"
    CR = "CR"
    PR = "PR"
    SD = "SD"
    PD = "PD"
    NE = "NE"


@dataclass(frozen=True)
class LesionSize:
    """One lesion at one visit: the longest diameter, of a node the short axis, in mm.

    0 says that it was looked for and is gone, None that nobody measured it. `organ` is empty where none is said.
    """

    lesion: str
    diameter_mm: float | None
    node: bool = False
    organ: str = ""

    @property
    def counted_organ(self) -> str:
        """Return the organ under which it counts: nodes are one organ wherever they lie."""
        return LYMPH_NODE if self.node else self.organ or BREAST

    @property
    def is_measurable(self) -> bool:
        """Say whether it is large enough for a target."""
        return self.diameter_mm is not None and self.diameter_mm >= (
            TARGET_NODE_MM if self.node else TARGET_MM
        )

    @property
    def is_gone(self) -> bool:
        """Say whether it was measured and counts as gone: 0 mm, or a node of normal size."""
        if self.diameter_mm is None:
            return False
        return self.diameter_mm < NORMAL_NODE_MM if self.node else self.diameter_mm == 0


@dataclass(frozen=True)
class TimepointResponse:
    """What one visit says.

    `sum_mm` is the sum of the target lesions' diameters, None where one of them was not measured; `measured_mm` the sum
    of those that were. `nadir_mm` is the smallest sum so far, the baseline's and this one included. `new` are the lesions
    that were not there at baseline, `unmeasured` the target lesions without a diameter. `remarks` say what a person has to
    judge.
    """

    response: Response
    sum_mm: float | None
    nadir_mm: float | None
    measured_mm: float | None
    new: tuple[str, ...] = ()
    unmeasured: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def target_lesions(baseline: Sequence[LesionSize]) -> tuple[str, ...]:
    """Return which lesions of the baseline are followed: the largest measurable ones, two an organ, five in all.

    Section 4.2. Of lesions of one size the one that is named first goes first; the answer is in the order of the baseline.
    """
    taken: Counter[str] = Counter()
    chosen: set[str] = set()
    for size in sorted((one for one in baseline if one.is_measurable), key=lambda one: -_mm(one)):
        if len(chosen) < TARGETS_IN_ALL and taken[size.counted_organ] < TARGETS_AN_ORGAN:
            taken[size.counted_organ] += 1
            chosen.add(size.lesion)
    return tuple(size.lesion for size in baseline if size.lesion in chosen)


def responses(visits: Sequence[Sequence[LesionSize]]) -> list[TimepointResponse]:
    """Say the response at each visit, from a woman's lesions at all of them, oldest first.

    The baseline is the first visit at which any lesion was measured; what comes before it cannot be evaluated. A lesion
    is new if it had no entry at baseline, or was gone there. Raises ValueError where a visit names a lesion twice.
    """
    for visit in visits:
        twice = [name for name, count in Counter(one.lesion for one in visit).items() if count > 1]
        if twice:
            raise ValueError(f"A visit names the lesion “{twice[0]}” twice.")
    start = next(
        (n for n, visit in enumerate(visits) if any(one.diameter_mm is not None for one in visit)),
        len(visits),
    )
    said = [TimepointResponse(Response.NE, None, None, None) for _ in visits[:start]]
    if start == len(visits):
        return said
    course = _Course(visits[start])
    said.append(course.baseline())
    said.extend(course.judge(visit) for visit in visits[start + 1 :])
    return said


class _Course:
    """What is known of a woman from her baseline on: the targets, the nadir, which lesions came new."""

    def __init__(self, baseline: Sequence[LesionSize]) -> None:
        self.first = {one.lesion: one for one in baseline}
        self.targets = target_lesions(baseline)
        self.others = [
            name for name, one in self.first.items() if name not in self.targets and not one.is_gone
        ]
        self.baseline_mm = sum(_mm(self.first[name]) for name in self.targets)
        self.nadir_mm = self.baseline_mm
        self.was_complete = False
        self.came_new: set[str] = set()

    def baseline(self) -> TimepointResponse:
        """Say the visit that the others are compared with."""
        if not self.targets:
            remark = "No target lesion at baseline: no sum can be followed."
            return TimepointResponse(Response.BASELINE, None, None, None, remarks=(remark,))
        return TimepointResponse(Response.BASELINE, self.baseline_mm, self.baseline_mm, self.baseline_mm)

    def judge(self, visit: Sequence[LesionSize]) -> TimepointResponse:
        """Say a later visit; visits are told in their order."""
        now = {one.lesion: one for one in visit}
        measured = [now[name] for name in self.targets if name in now and now[name].diameter_mm is not None]
        unmeasured = tuple(name for name in self.targets if name not in {one.lesion for one in measured})
        measured_mm = sum(_mm(one) for one in measured) if measured else None
        sum_mm = measured_mm if not unmeasured else None
        new = tuple(name for name, one in now.items() if self._is_new(one))
        self.came_new.update(new)
        response = self._response(now, measured, sum_mm, new)
        if sum_mm is not None:
            self.nadir_mm = min(self.nadir_mm, sum_mm)
        self.was_complete = self.was_complete or response is Response.CR
        nadir_mm = self.nadir_mm if self.targets else None
        return TimepointResponse(
            response, sum_mm, nadir_mm, measured_mm, new, unmeasured, self._remarks(now, new)
        )

    def _response(
        self,
        now: Mapping[str, LesionSize],
        measured: Sequence[LesionSize],
        sum_mm: float | None,
        new: Sequence[str],
    ) -> Response:
        # Progression is asked first: a sum far below the baseline can be far above the nadir (section 4.3.1).
        if new or self._has_progressed(measured):
            return Response.PD
        # What was new and has no entry now may be there still.
        if any(name not in now or now[name].diameter_mm is None for name in self.came_new):
            return Response.NE
        if not self.targets:
            gone = bool(self.others) and self._are_gone(now, self.others)
            return Response.CR if gone else Response.NE
        if sum_mm is None:
            return Response.NE
        if self._are_gone(now, self.targets):
            # Targets that are gone beside other disease that is not, or was not looked at, are a partial response
            # (table 1).
            return Response.CR if self._are_gone(now, self.others) else Response.PR
        if sum_mm <= (1 - PARTIAL_SHARE) * self.baseline_mm + _ROUNDING_MM:
            return Response.PR
        return Response.SD

    def _has_progressed(self, measured: Sequence[LesionSize]) -> bool:
        """Say whether what was measured of the targets is by itself far enough above the nadir (section 4.4.2).

        After a complete response a target that is seen again is progression whatever its size (EORTC, does a new lesion
        always result in PD?); a node has to grow as much as any sum, for 9 and 11 mm may be one size (new lymph node lesions).
        """
        if not measured:
            return False
        if self.was_complete and any(_mm(one) > 0 and not one.node for one in measured):
            return True
        above_mm = sum(_mm(one) for one in measured) - self.nadir_mm + _ROUNDING_MM
        return above_mm >= PROGRESSION_MM and above_mm >= PROGRESSION_SHARE * self.nadir_mm

    def _is_new(self, one: LesionSize) -> bool:
        """Say whether a lesion was not there at baseline and is now (section 4.3.5).

        A node becomes disease when it is no longer of normal size; where its size at baseline is known it has to have
        grown by what progression asks of every sum, for 9 and 11 mm may be one size (EORTC, new lymph node lesions).
        """
        if one.diameter_mm is None or one.is_gone:
            return False
        first = self.first.get(one.lesion)
        if first is None:
            return True
        if first.diameter_mm is None or not first.is_gone:
            return False
        return not one.node or _mm(one) - _mm(first) + _ROUNDING_MM >= PROGRESSION_MM

    def _are_gone(self, now: Mapping[str, LesionSize], names: Sequence[str]) -> bool:
        return all(name in now and now[name].is_gone for name in names)

    def _remarks(self, now: Mapping[str, LesionSize], new: Sequence[str]) -> tuple[str, ...]:
        """Say what no diameter decides: growth of other lesions, and entries that are missing."""
        remarks = [f"New lesion: {name}." for name in new]
        for name in self.others:
            before, after = self.first[name].diameter_mm, now[name].diameter_mm if name in now else None
            if before is None or after is None:
                continue
            if after - before >= PROGRESSION_MM and after >= (1 + PROGRESSION_SHARE) * before:
                remarks.append(
                    f"{name}, no target, grew from {before:g} to {after:g} mm: whether that is unequivocal progression "
                    "is for a reader to say."
                )
        return tuple(remarks)


def _mm(one: LesionSize) -> float:
    """Return a diameter that is known to be measured."""
    assert one.diameter_mm is not None
    return one.diameter_mm
