"""The verb ``simulate``: a set of drawn women, or of findings in real pictures."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from core.cli.groups import in_groups
from core.cli.manifests import manifests_of
from core.cli.terminal import SOME_REFUSED, log, print_json, results, wrong_use
from core.sets import SamplingError, read_sampling
from seed_data.counting import counted
from seed_data.women import backgrounds, cohort
from seed_data.women.backgrounds import Background
from seed_data.women.life import CaseMix
from seed_data.women.mechanisms import EDITIONS
from seed_data.women.plan import SetPlan

__all__ = ["Edition", "check_no_set", "simulate", "tell_set"]


class Edition(StrEnum):
    """Which mechanisms simulated women have (`seed_data.women.mechanisms.EDITIONS`)."""

    OF_2025 = "2025"
    OF_2026 = "2026"


class ImageFormat(StrEnum):
    """What the images are written as."""

    PNG = "png"
    DICOM = "dicom"


@dataclass(frozen=True)
class SizeAsked:
    """How many women, and how their images are made."""

    patients: Annotated[int, typer.Option(min=1, help="Number of women.")] = 100
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = 0
    image_format: Annotated[ImageFormat, typer.Option("--format", help="File format of the images.")] = (
        ImageFormat.PNG
    )
    pixel_spacing_mm: Annotated[float, typer.Option(min=0.1, max=1.0, help="Nominal pixel spacing.")] = 0.375
    jobs: Annotated[int, typer.Option(min=0, help="Processes; 0: one a core.")] = 0


@dataclass(frozen=True)
class MixAsked:
    """What the women are made of, as it is typed."""

    cancer_rate: Annotated[
        float,
        typer.Option(min=0.0, max=0.6, help="Expected share of women with a cancer found in follow-up."),
    ] = 0.30
    natural: Annotated[bool, typer.Option("--natural", help="Incidence as in life, not enriched.")] = False
    benign_per_woman: Annotated[float, typer.Option(min=0.0, help="Mean number of benign findings.")] = 0.9
    treated_rate: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of women treated and followed on.")
    ] = 0.04
    growth_speed: Annotated[float, typer.Option(min=0.1, help="Divides the doubling times.")] = 1.0
    detection_noise: Annotated[
        float, typer.Option(min=0.0, help="SD (logit) of how conspicuous cancers are.")
    ] = 0.7
    detection_delay_mm: Annotated[
        float, typer.Option(min=0.0, help="Cancers are found this much larger than in life.")
    ] = 0.0
    findings_per_breast: Annotated[
        float | None,
        typer.Option(
            min=0.1, help="Strew so many findings over each breast anew at every visit: a set to practise on."
        ),
    ] = None

    @property
    def mix(self) -> CaseMix:
        """Return the case mix."""
        return CaseMix(
            None if self.natural else self.cancer_rate,
            self.benign_per_woman,
            self.treated_rate,
            self.growth_speed,
            self.detection_noise,
            self.detection_delay_mm,
            self.findings_per_breast,
        )


@dataclass(frozen=True)
class CourseAsked:
    """What the findings grow in and how, which studies are taken again, and which women are pictured."""

    real_backgrounds: Annotated[
        Path | None,
        typer.Option(
            "--backgrounds", help="Exam manifest of real mammograms: findings grow in these, one woman each."
        ),
    ] = None
    repeats: Annotated[
        int,
        typer.Option(
            min=0,
            max=9,
            help="Take each woman's last study again so often on the same day, positioned and exposed anew "
            "(repeat_1.csv …): what changes then is no change of hers.",
        ),
    ] = 0
    mechanisms: Annotated[
        Edition,
        typer.Option(
            help="How cancer grows and announces itself: 2026 adds texture, early signs, look-alikes, grades, in situ. "
            "The shipped weights are proved on 2025."
        ),
    ] = Edition.OF_2025
    only: Annotated[
        Path | None,
        typer.Option(
            help="Picture only the women of this seed in a CSV of patient_id,stands_for, as `core train calibration --sampling` takes it: "
            "each is as she would be among all."
        ),
    ] = None


@in_groups
def simulate(
    out: Annotated[Path, typer.Option("--out", help="Folder to write into.")],
    size: SizeAsked,
    made_of: MixAsked,
    course: CourseAsked,
    as_json: Annotated[bool, typer.Option("--json", help="Print the description as JSON.")] = False,
) -> None:
    """Write simulated women: images, manifest.csv, truth.csv, risk_factors.csv, events.csv, simulation.json."""
    check_no_set(out)
    _check_together(made_of, course)
    on_real, refused = (None, 0) if course.real_backgrounds is None else _real(course.real_backgrounds, size)
    try:
        picked = None if course.only is None else read_sampling(course.only)
    except SamplingError as error:
        wrong_use(str(error))
    started = time.monotonic()
    try:
        with counted("Simulating women", size.patients if picked is None else None) as count:
            plan = SetPlan(
                size.patients, size.seed, made_of.mix, size.image_format.value, size.pixel_spacing_mm, on_real,
                course.repeats, EDITIONS[course.mechanisms.value], only=picked,
            )  # fmt: skip
            description = cohort.simulate(out, plan, jobs=size.jobs or None, on_woman=count)
    except backgrounds.UnusableBackground as error:
        wrong_use(f"{error} Take its row out of the manifest, and remove {out}, which is not complete.")
    except ValueError as error:
        wrong_use(str(error))
    seconds = time.monotonic() - started
    log.print(
        f"{description['images']} images in {seconds:.0f} s, {description['images'] / seconds:.1f} a second."
    )
    tell_set(description, out, as_json)
    if refused:
        raise typer.Exit(SOME_REFUSED)


def check_no_set(out: Path) -> None:
    """End with a message where a folder holds a set already, or is none."""
    there = next(place for place in (out, *out.parents) if os.path.lexists(place))
    if not there.is_dir():
        wrong_use(f"{there} is no folder: a set cannot be written to {out}. Choose another folder.")
    if (out / "manifest.csv").exists():
        wrong_use(f"{out} holds a set already. Choose another folder, or remove that one.")


def tell_set(description: dict[str, Any], out: Path, as_json: bool) -> None:
    """Say what set was written, and where."""
    if as_json:
        print_json(description)
    else:
        results.print(f"{description['statement']} Manifest: {out / 'manifest.csv'}", highlight=False)


def _check_together(made_of: MixAsked, course: CourseAsked) -> None:
    """End with a message where options are asked for that cannot go together."""
    practice, real = made_of.findings_per_breast is not None, course.real_backgrounds is not None
    if practice and real:
        wrong_use("--findings-per-breast and --backgrounds cannot go together.")
    if course.repeats and (practice or real):
        wrong_use("--repeats goes with drawn women only, not with --findings-per-breast or --backgrounds.")
    if course.mechanisms is not Edition.OF_2025 and (practice or real):
        wrong_use("--mechanisms goes with drawn women only, not with --findings-per-breast or --backgrounds.")


def _real(manifest: Path, size: SizeAsked) -> tuple[list[Background], int]:
    """Return the real women whose pictures findings are to grow in, and how many rows of their manifest are refused.

    Ends with a message where the women are too few.
    """
    (read,), refused = manifests_of([manifest])
    try:
        on_real = backgrounds.backgrounds(read)
    except ValueError as error:
        wrong_use(str(error))
    if len(on_real) < size.patients:
        wrong_use(f"{manifest} holds {len(on_real)} women without finding: ask for so many patients at most.")
    if size.image_format is ImageFormat.DICOM:
        wrong_use("Findings in real pictures are written as PNG only.")
    return on_real, refused
