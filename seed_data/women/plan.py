"""The plan of a simulated set: which women it holds, and how they are pictured."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

from seed_data.women import lives
from seed_data.women.backgrounds import Background
from seed_data.women.life import CaseMix
from seed_data.women.mechanisms import OF_2025, Mechanisms

_OF_A_SEED = re.compile(r"Sim-\d+-\d{4,}")


@dataclass(frozen=True)
class SetPlan:
    """Which women a set holds, and how they are pictured.

    Parameters
    ----------
    patients, seed, mix
        How many women of which seed, and what they are made of.
    image_format, spacing_mm
        What images are written as, and their nominal pixel spacing.
    on_real
        Real pictures, one woman each, into which findings are drawn; None: tissue is drawn too.
    repeats
        How often each woman's last study is taken again on the same day, positioned and exposed anew.
    mechanisms
        How cancer grows in women who have a course; what lies in the tissue (texture, signs) goes with drawn ones.
    anew
        Whether real pictures are exposed and digitised anew at each visit.
    only
        Names of drawn women; no others are pictured, and each is as she would be among all.

    Raises
    ------
    ValueError
        For impossible numbers, and for what cannot go together.
    """

    patients: int
    seed: int
    mix: CaseMix = field(default_factory=CaseMix)
    image_format: Literal["png", "dicom"] = "png"
    spacing_mm: float = 0.375
    on_real: Sequence[Background] | None = None
    repeats: int = 0
    mechanisms: Mechanisms = OF_2025
    anew: bool = False
    only: Collection[str] | None = None

    def __post_init__(self) -> None:
        practice = self.mix.findings_per_breast is not None
        real = self.on_real is not None
        if self.patients < 1:
            raise ValueError("At least one patient is needed.")
        if self.on_real is not None and len(self.on_real) < self.patients:
            raise ValueError(f"There are {len(self.on_real)} real backgrounds for {self.patients} women.")
        if not 0.1 <= self.spacing_mm <= 1.0:
            raise ValueError("The pixel spacing must lie between 0.1 and 1.0 mm.")
        if self.repeats and (real or practice):
            raise ValueError("Only drawn women with a course can be imaged again on the same day.")
        if self.mechanisms != OF_2025 and practice:
            raise ValueError("Other mechanisms go with women with a course only.")
        if self.mechanisms.tells_more and real:
            raise ValueError("Texture and early signs are drawn into simulated tissue only.")
        if self.only is not None and real:
            raise ValueError("Single women are picked among drawn ones only.")

    def numbers(self) -> list[int]:
        """Return the numbers of the women to be pictured; ValueError if `only` names others, or none of them."""
        every = range(1, self.patients + 1)
        if self.only is None:
            return list(every)
        chosen = [number for number in every if lives.name_of(self.seed, number) in self.only]
        # A table may name the women of several seeds.
        own = lives.name_of(self.seed, 0).removesuffix("0000")
        strange = {name for name in self.only if not _OF_A_SEED.fullmatch(name) or name.startswith(own)}
        strange -= {lives.name_of(self.seed, number) for number in chosen}
        called = f"the {self.patients} of seed {self.seed}, {lives.name_of(self.seed, 1)} to {lives.name_of(self.seed, self.patients)}"
        if strange:
            raise ValueError(
                f"{len(strange)} women to be pictured, such as {min(strange)}, are not among {called}."
            )
        if not chosen:
            raise ValueError(f"No woman to be pictured is named; they are to be among {called}.")
        return chosen
