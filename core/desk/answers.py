"""What is said of one image, and by whom."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.rules import Trust, TrustLevel
from models.classifier import Box
from models.view import ViewTransform

__all__ = ["DEFAULT_TASKS", "DENSITY", "FINDING", "ITS_ENCODER", "Classified", "Shares", "Spoke"]

FINDING, DENSITY = DEFAULT_TASKS = ("finding", "density")
ITS_ENCODER = " (its encoder)"
Shares = dict[str, float | None]
"""Probabilities by class; None of a class that may not be said by itself (`core.rules.contrasts`)."""


@dataclass(frozen=True)
class Spoke:
    """Which model said what, and how far its figures go.

    `reads` is what it was shown: ``image``, ``image beside the other breast``, ``region``, or ``region of the whole image``
    for a box in what a model of whole images saw. `doubt` says why its probabilities are not calibrated for that, or how weak the model is;
    None where there is nothing to warn of. `trust` says whether it knows such pictures.
    """

    task: str
    model: str
    title: str
    reads: str
    doubt: str | None
    trust: Trust

    def to_json(self) -> dict[str, Any]:
        """Return plain values; beside the trust what would be needed, None where nothing is."""
        name = self.model.removesuffix(ITS_ENCODER)
        needed = self.trust.doubt.needed.replace("MODEL", name) if self.trust.doubt else None
        return asdict(self) | {"trust": self.trust.to_json(), "needed": needed}


@dataclass(frozen=True)
class Classified:
    """What is said of one image.

    `refused` is a reason code and `detail` its sentence; then nothing else is said. `tumour` and `density` hold
    probabilities by class, `other` those of a task that is neither, by its name; None where nothing may be said, or where a
    class may not, and then `untrusted` holds by task what the model would have said. `heat_map` is (h, w) in 0..1, over a picture of
    `heat_shape` (rows, columns), whose coordinates `transform` maps to the original's; it is the tumour's, trusted or
    not. `marks` are boxes in the original around what speaks for a lesion, the strongest first, of a model that finds such.
    `beside` names the view of the other breast that it was read together with, if it was.
    """

    path: str
    refused: str | None = None
    detail: str | None = None
    tumour: Shares | None = None
    density: Shares | None = None
    other: dict[str, Shares] | None = None
    untrusted: dict[str, dict[str, float]] = field(default_factory=dict)
    model: str | None = None
    spoke: tuple[Spoke, ...] = ()
    modality: str | None = None
    box: Box | None = None
    heat_map: NDArray[np.float16] | None = None
    heat_shape: tuple[int, int] | None = None
    transform: ViewTransform | None = None
    marks: tuple[Box, ...] = ()
    beside: str | None = None

    @property
    def trust(self) -> Trust | None:
        """How far may be believed what is said of the tumour, or of what the only model says; None if it was refused."""
        others = [one.trust for one in self.spoke if one.task != DENSITY]
        return others[0] if others else self.density_trust

    @property
    def density_trust(self) -> Trust | None:
        """The same of density, which another model may say; None where none was asked."""
        return next((one.trust for one in self.spoke if one.task == DENSITY), None)

    def to_json(self) -> dict[str, Any]:
        """Return plain values in DESIGN.md's shape.

        Two models may speak, each in its own domain: ``trust`` is that of the model that says what is benign or
        malignant (of a model of another task, if that was asked alone), ``density_trust`` that of the one that says
        density. What may not be said is null, all of it or single classes, and stands in the same shape under ``untrusted``,
        which is there only then. ``told`` is what may be shown: there classes that a model was not measured to tell apart stand
        together too, such as ``benign+malignant``.
        A refused picture is withheld for the reason that it was refused for.
        """
        trust, density_trust = self.trust, self.density_trust
        refused = {"level": TrustLevel.WITHHELD.value, "reason": self.detail, "distance": None, "limit": None}
        told = {FINDING: self.tumour, DENSITY: self.density, **(self.other or {})}
        shares = {
            task: said and {name: said[name] for name in self.untrusted.get(task, said)}
            for task, said in told.items()
        }
        other = {one.task: shares.get(one.task) for one in self.spoke if one.task not in DEFAULT_TASKS}
        held = {task: said for task, said in self.untrusted.items() if task not in DEFAULT_TASKS}
        untrusted = {
            "tumour": self.untrusted.get(FINDING),
            "density": self.untrusted.get(DENSITY),
            **({"other": held} if held else {}),
        }
        return {
            "path": self.path,
            "refused": self.refused,
            "detail": self.detail,
            "tumour": shares[FINDING],
            "density": shares[DENSITY],
            **({"other": other} if other else {}),
            "told": {"tumour": self.tumour, "density": self.density},
            "trust": trust.to_json() if trust else refused,
            "density_trust": density_trust.to_json() if density_trust else None,
            **({"untrusted": untrusted} if self.untrusted else {}),
            "roi": list(self.box) if self.box else None,
            "marks": [list(mark) for mark in self.marks] if trust and trust.is_trusted else [],
            "beside": self.beside,
            "model": self.model,
            "modality": self.modality,
            "spoke": [one.to_json() for one in self.spoke],
        }
