"""How fast this machine is at what people wait for, measured on made-up pictures in a home of its own."""

from __future__ import annotations

import io
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import psutil  # type: ignore[import-untyped]
from numpy.typing import NDArray

from core.incoming import IncomingFile, Statement, take_in
from core.installation import Installation
from core.people import audit
from core.settings import Settings
from core.worker import Scorer
from db.migrate import upgrade

if TYPE_CHECKING:
    from models.longitudinal import LongitudinalModel

FILM = (4600, 2700)
"""Rows and columns of a digitised film, the largest pictures that are common."""
SMALL = (870, 655)
FOUR_VIEWS: tuple[tuple[Literal["L", "R"], str], ...] = (("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO"))


@dataclass(frozen=True)
class Measured:
    """One figure and its unit."""

    value: float
    unit: str


def run(settings: Settings, on_step: Callable[[str], None] = lambda _step: None) -> dict[str, Measured]:
    """Measure everything with the model that the settings name; what the installation holds is not touched.

    Raises `LookupError` or `ValueError` if the model cannot be loaded.
    """
    measured: dict[str, Measured] = {}
    with tempfile.TemporaryDirectory(prefix="longview-benchmark-") as home:
        own = settings.model_copy(update={"home": Path(home), "database_url": None})
        own.__dict__.pop("root", None)
        here = Installation.open(own)
        upgrade(here.database)
        on_step("commits")
        measured["durable_commits"] = Measured(_commits_per_second(here), "1/s")
        on_step("the model")
        started = time.perf_counter()
        scorer = Scorer(here)
        scorer.warm_up()
        measured["worker_start"] = Measured(time.perf_counter() - started, "s")
        on_step("a four-view study of large films")
        measured |= _four_views(here, scorer)
        measured["four_view_arrays_to_score"] = Measured(_arrays_to_score(scorer.model), "s")
        on_step("small images")
        measured["small_image_import"] = Measured(_small_import_ms(here), "ms")
        on_step("twenty visits")
        measured["visit_20_cost_over_visit_2"] = Measured(_nth_visit_ratio(here, scorer), "ratio")
        measured["worker_memory"] = Measured(psutil.Process().memory_info().rss / 1e6, "MB")
        scorer.close()
        here.close()
    return {name: Measured(round(m.value, 4), m.unit) for name, m in measured.items()}


def _commits_per_second(here: Installation, seconds: float = 1.0) -> float:
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        with here.database.write() as session:
            audit.record(session, None, "benchmark")
        count += 1
    return count / (time.perf_counter() - started)


def _four_views(here: Installation, scorer: Scorer, rounds: int = 3) -> dict[str, Measured]:
    """Take in and score a study of four films; the first round warms the reader and is left out."""
    taken, scored = [], []
    for number in range(rounds + 1):
        day = date(2020 + number, 1, 1)
        files = [
            IncomingFile(
                f"{side}-{view}.dcm", made_up_dicom(side, view, day, FILM, seed=10 * number + n, packed=True)
            )
            for n, (side, view) in enumerate(FOUR_VIEWS)
        ]
        started = time.perf_counter()
        take_in(here, files, statement=Statement("BENCHMARK", day), source="cli").check_whole()
        between = time.perf_counter()
        scorer.score_next()
        taken.append(between - started)
        scored.append(time.perf_counter() - between)
    both = [one + other for one, other in zip(taken, scored, strict=True)]
    return {
        "four_view_study_import": Measured(statistics.median(taken[1:]), "s"),
        "four_view_study_score_warm": Measured(statistics.median(scored[1:]), "s"),
        "four_view_study_upload_to_score": Measured(statistics.median(both[1:]), "s"),
    }


def _arrays_to_score(model: LongitudinalModel, rounds: int = 5) -> float:
    """Return seconds from four decoded films to the score of their study, by a model that is warm."""
    from models.longitudinal import SeenView, VisitInput
    from models.view import standardise

    films = [(side, view, _picture(side, FILM, seed=n)) for n, (side, view) in enumerate(FOUR_VIEWS)]
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        readings = model.encode([standardise(pixels, model.shape) for _, _, pixels in films])
        seen = [SeenView(side, view, one) for (side, view, _), one in zip(films, readings, strict=True)]
        model.score([VisitInput(date(2020, 1, 1), 50.0, tuple(seen))])
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def _small_import_ms(here: Installation, count: int = 40) -> float:
    files = [
        IncomingFile(f"{n}.dcm", made_up_dicom("L", "CC", date(2000, 1, 1), SMALL, seed=1000 + n))
        for n in range(count)
    ]
    started = time.perf_counter()
    take_in(here, files, statement=Statement("SMALL", date(2000, 1, 1)), source="cli").check_whole()
    return (time.perf_counter() - started) / count * 1000


def _nth_visit_ratio(here: Installation, scorer: Scorer, visits: int = 20, women: int = 5) -> float:
    """Return what visits 18 to 20 cost over visits 2 to 4, one after another as they come in, the median of some women's.

    Of one woman alone the six are so quick that what else the machine does decides.
    """
    while scorer.score_next(settled=False) is not None:
        pass
    early, late = [], []
    for woman in range(women):
        seconds = []
        for number in range(visits):
            day = date(2000 + number, 6, 1)
            file = IncomingFile(
                "x", made_up_dicom("L", "CC", day, SMALL, seed=5000 + woman * visits + number)
            )
            statement = Statement(f"VISITS-{woman}", day)
            take_in(here, [file], statement=statement, source="cli").check_whole()
            started = time.perf_counter()
            scorer.score_next(settled=False)
            seconds.append(time.perf_counter() - started)
        early += seconds[1:4]
        late += seconds[-3:]
    return statistics.median(late) / statistics.median(early)


def _picture(side: str, shape: tuple[int, int], seed: int) -> NDArray[np.uint16]:
    """Draw half an ellipse with grain, 16 bits, so that it packs about as well as film does."""
    rows, columns = shape
    random = np.random.default_rng(seed)
    y, x = np.ogrid[0:rows, 0:columns]
    inside = ((y - rows / 2) / (0.42 * rows)) ** 2 + (x / (0.6 * columns)) ** 2
    grain = random.normal(0, 350, shape).astype(np.float32)
    breast = 24_000 + 16_000 * np.clip(1 - inside, 0, 1) + grain
    pixels = np.where(inside < 1, breast, 300).astype(np.uint16)
    return pixels if side == "L" else np.ascontiguousarray(pixels[:, ::-1])


def made_up_dicom(
    side: str, view: str, day: date, shape: tuple[int, int], *, seed: int, packed: bool = False
) -> bytes:
    """Return a mammogram's file with a made-up picture, (rows, columns) of 16 bits, RLE packed or not."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import (
        DigitalMammographyXRayImageStorageForPresentation,
        ExplicitVRLittleEndian,
        RLELossless,
        generate_uid,
    )

    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    data.file_meta.MediaStorageSOPClassUID = DigitalMammographyXRayImageStorageForPresentation
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.StudyInstanceUID = generate_uid()
    data.StudyDate, data.Modality = day.strftime("%Y%m%d"), "MG"
    data.ImageLaterality, data.ViewPosition = side, view
    data.Rows, data.Columns = shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation = 15, 0
    data.PixelData = _picture(side, shape, seed).tobytes()
    if packed:
        data.compress(RLELossless, generate_instance_uid=False)
    file = io.BytesIO()
    data.save_as(file, enforce_file_format=True)
    return file.getvalue()
