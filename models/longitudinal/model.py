"""The longitudinal model: encoder, ensemble of sequence heads and calibration, loaded and kept as one folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from models.longitudinal.calibration import Calibration, Risks
from models.longitudinal.encoders import encoder_file, keep_encoder, kept_encoder
from models.longitudinal.explanation import contributions, heat_map
from models.longitudinal.lacks import lacking
from models.longitudinal.movement import COALITIONS, PLAYERS, Movement, coalition_arrays, shapley
from models.measures import DOMAIN, Domain, safe_logit
from models.sequence import (
    HORIZONS,
    SIDES,
    SLOTS,
    Arrays,
    Laterality,
    SeenView,
    SequenceConfig,
    ViewReading,
    VisitInput,
    build_ensemble,
    build_sequence,
    slot_of,
    stack_arrays,
    visit_arrays,
)
from models.store import CARD, ModelCard, check_files, read_card, sha256_of, weights_folder
from models.view import NETWORK_SHAPE, EncoderConfig, StandardView, build_encoder, coarse_grid

__all__ = [
    "LONGEST",
    "LongitudinalModel",
    "SeenView",
    "ViewReading",
    "VisitAnswer",
    "VisitInput",
    "untrained",
]

LONGEST = 20
"""Visits a score looks back on; of a woman with more, the last twenty are read."""
BATCH = 4
"""Views pass the encoder in fours, padded, so that a view's vector does not depend on its company."""
SEQUENCE, CALIBRATION = "sequence.keras", "calibration.json"


Interval = tuple[float, float, float]
"""Value, lower and upper bound."""


@dataclass(frozen=True)
class VisitAnswer:
    """What the model says of a woman at one visit.

    Parameters
    ----------
    malignancy, malignancy_low, malignancy_high
        Per breast, probability that cancer is present or found within 12 months, which is its risk within the first
        year, with a 90 % interval; None for a breast of which this visit has no view (the woman's risk counts it all the
        same).
    progression, progression_after
        Probability that disease has grown since the previous visit, with a 90 % interval, for a woman without a diagnosis
        and for one with it; None at the first visit.
    risk, risk_low, risk_high
        (5,) probability of cancer within 1..5 years with a 90 % interval; none falls with the horizon, and within one
        year it lies between the larger of the two breasts' malignancies and their sum.
    density
        (4,) probabilities of A..D.
    contributions
        (n visits,) what each visit brought to the log-odds of 5-year risk; they sum to
        ``logit(risk[4]) - logit(baseline)``.
    baseline
        5-year risk said of a woman of whom nothing is seen.
    smallest_change
        The smallest change of 5-year risk, in log-odds, that is not what position and exposure alone do; None where
        that was not measured.
    """

    malignancy: dict[Laterality, float | None]
    malignancy_low: dict[Laterality, float | None]
    malignancy_high: dict[Laterality, float | None]
    progression: Interval | None
    progression_after: Interval | None
    risk: NDArray[np.float64]
    risk_low: NDArray[np.float64]
    risk_high: NDArray[np.float64]
    density: NDArray[np.float64]
    contributions: NDArray[np.float64]
    baseline: float
    smallest_change: float | None


class LongitudinalModel:
    """A trained longitudinal model.

    >>> model = LongitudinalModel.load("longitudinal-sim")
    >>> readings = model.encode([standardise(pixels)])
    >>> score = model.score([Visit(date(2026, 1, 1), 57.0, (SeenView("L", "CC", readings[0]),))])
    """

    def __init__(
        self,
        card: ModelCard,
        encoder: keras.Model,
        sequence: keras.Model,
        calibration: Calibration,
        domain: Domain | None = None,
    ) -> None:
        self.card = card
        self.encoder = encoder
        self.sequence = sequence
        self.calibration = calibration
        self.domain = domain

    @classmethod
    def load(cls, name_or_folder: str | Path) -> LongitudinalModel:
        """Load a shipped model by name, or one from a folder.

        Raises
        ------
        LookupError
            If no model has that name.
        ValueError
            If a file is missing or is not the one whose sha256 stands on the card.
        """
        folder = Path(name_or_folder)
        if not (folder / CARD).is_file():
            if isinstance(name_or_folder, Path) or folder.is_dir():
                raise ValueError(f"{folder} holds no {CARD}: it is not a model's folder.")
            folder = weights_folder(name_or_folder)
        card = read_card(folder)
        check_files(folder, card)
        return cls(
            card=card,
            encoder=kept_encoder(folder),
            sequence=_load(folder / SEQUENCE),
            calibration=Calibration.from_json(json.loads((folder / CALIBRATION).read_text("utf-8"))),
            domain=Domain.load(folder / DOMAIN) if DOMAIN in card.files else None,
        )

    def save(self, folder: Path) -> ModelCard:
        """Write the model's files and its card, with their sha256, to `folder`; return the card as written."""
        folder.mkdir(0o700, parents=True, exist_ok=True)
        keep_encoder(self.encoder, folder)
        self.sequence.save(folder / SEQUENCE)
        return self.save_calibration(folder)

    def save_calibration(self, folder: Path) -> ModelCard:
        """Write calibration and card to a folder that holds the networks; return the card as written."""
        (folder / CALIBRATION).write_text(json.dumps(self.calibration.to_json(), indent=1) + "\n", "utf-8")
        return self.save_domain(folder)

    def save_domain(self, folder: Path) -> ModelCard:
        """Write domain and card to a folder that holds networks and calibration; return the card as written."""
        if self.domain is not None:
            self.domain.save(folder / DOMAIN)
        domain = [DOMAIN] if self.domain is not None else []
        beside = [name for name in self.card.files if (folder / name).is_file()]
        encoder = encoder_file(folder)
        files = {
            name: sha256_of(folder / name)
            for name in dict.fromkeys((encoder, SEQUENCE, CALIBRATION, *domain, *beside))
        }
        self.card = replace(
            self.card,
            files=files,
            encoder_sha256=files[encoder],
            weights_sha256=files[SEQUENCE],
            # The figures too: another calibration on as many women must not pass for the same.
            calibration=f"{self.calibration.fitted_on}; figures {files[CALIBRATION][:12]}",
        )
        text = json.dumps(self.card.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
        (folder / CARD).write_text(text + "\n", "utf-8")
        return self.card

    def distances(self, readings: Sequence[ViewReading]) -> list[float] | None:
        """Return how unlike each reading is to what the model learned from; None if the model does not know that."""
        if self.domain is None or not readings:
            return None if self.domain is None else []
        return [
            float(one) for one in self.domain.distances(np.stack([reading.vector for reading in readings]))
        ]

    @property
    def vector_size(self) -> int:
        """Length D of a view's vector."""
        return int(self.encoder.output["vector"].shape[-1])

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the views the encoder reads."""
        _, rows, columns, _ = self.encoder.input.shape
        return int(rows), int(columns)

    def encode(self, views: Sequence[StandardView]) -> list[ViewReading]:
        """Read views, each by itself: the same view gives the same reading in any company."""
        if any(view.pixels.shape != (*self.shape, 1) for view in views):
            raise ValueError(f"Views must be standardised to {self.shape}.")
        readings: list[ViewReading] = []
        for start in range(0, len(views), BATCH):
            some = views[start : start + BATCH]
            batch = np.zeros((BATCH, *self.shape, 1), np.float32)
            for place, view in enumerate(some):
                batch[place] = view.pixels
            out = {key: np.asarray(value) for key, value in self.encoder.predict_on_batch(batch).items()}
            heat = heat_map(out["lesion"])
            for place in range(len(some)):
                readings.append(
                    ViewReading(
                        vector=out["vector"][place].astype(np.float32),
                        density=softmax(out["density"][place]).astype(np.float32),
                        finding=softmax(out["finding"][place]).astype(np.float32),
                        heat_map=heat[place],
                    )
                )
        return readings

    def score(self, visits: Sequence[VisitInput]) -> VisitAnswer:
        """Score the last of one woman's visits, which stand oldest first.

        The cost does not grow with the number of visits: arrays are padded to `LONGEST`. Of a longer history
        the last `LONGEST` visits are read; what came before contributes 0.

        Raises
        ------
        ValueError
            If there is no visit, visits are out of order, or a vector has another encoder's length.
        """
        if not visits:
            raise ValueError("There is no visit to score.")
        read = list(visits[-LONGEST:])
        n = len(read)
        days, ages, vectors, present = _laid_out(read, self.vector_size)
        out = self.predict(_from_each_visit(days, ages, vectors, present))
        # Row k holds the visits from the k-th on, so the visit to score is its (n - k)-th.
        lacks = lacking(days, present)[-1]
        said = self._risks(out, [n - 1 - k for k in range(n)], lacks)
        breasts = present[-1].any(axis=1)

        def by_breast(values: NDArray[np.float64]) -> dict[Laterality, float | None]:
            return {side: float(values[0, i, 0]) if breasts[i] else None for i, side in enumerate(SIDES)}

        def growth(*, after: bool) -> Interval | None:
            """Join the breasts seen: growth in either is growth."""
            if len(visits) == 1 or not breasts.any():
                return None
            logits = out["progression"][:, 0, n - 1]
            each = np.stack(self.calibration.progressions(logits, lacks, after=after))[:, breasts]
            value, low, high = 1 - np.prod(1 - each, axis=1)
            return float(value), float(low), float(high)

        density = _density(out["density"][:, 0, n - 1], breasts)
        return VisitAnswer(
            malignancy=by_breast(said.breast),
            malignancy_low=by_breast(said.breast_low),
            malignancy_high=by_breast(said.breast_high),
            progression=growth(after=False),
            progression_after=growth(after=True),
            risk=said.value[0],
            risk_low=said.low[0],
            risk_high=said.high[0],
            density=density,
            contributions=np.concatenate(
                [
                    np.zeros(len(visits) - n),
                    contributions(said.value[:, -1], self.calibration.baseline),
                ]
            ),
            baseline=self.calibration.baseline,
            smallest_change=self.calibration.smallest_change(
                said.value[0, -1], dense=bool(density[2:].sum() > 0.5)
            ),
        )

    def movement(self, visits: Sequence[VisitInput]) -> Movement | None:
        """Say why the score of the last visit is another than that of the one before; None at a first visit.

        `visits` are as for `score`, and so are the errors. Costs one batch of 16 histories.
        """
        if len(visits) < 2:
            return None
        # Of more than a score looks back on, the prior's own score read one visit further back.
        return self.movement_of(*_laid_out(visits[-LONGEST - 1 :], self.vector_size))

    def movement_of(
        self,
        days: NDArray[np.float64],
        ages: NDArray[np.float64],
        vectors: NDArray[np.float32],
        present: NDArray[np.bool_],
    ) -> Movement:
        """Return `movement` from the arrays of a woman's visits; see `models.sequence.study.visit_arrays`.

        Raises
        ------
        ValueError
            If there are fewer than two visits, or they are out of order.
        """
        arrays, last = coalition_arrays(days, ages, vectors, present, LONGEST)
        risk = self._risks(self.predict(arrays), last).value[:, -1]
        log_odds = safe_logit(risk)
        parts = shapley(log_odds)
        return Movement(
            before=float(risk[0]),
            now=float(risk[COALITIONS - 1]),
            log_odds=log_odds,
            parts={name: float(part) for name, part in zip(PLAYERS, parts, strict=True)},
        )

    def _risks(
        self,
        out: dict[str, NDArray[np.float32]],
        last: Sequence[int],
        lacks: NDArray[np.float64] | None = None,
    ) -> Risks:
        """Return calibrated risks at the `last` visit of the first n histories of a batch; `lacks` as for `risks`."""
        return self.calibration.risks(out["hazard"][:, range(len(last)), last], lacks)

    def predict(self, arrays: Arrays) -> dict[str, NDArray[np.float32]]:
        """Run the ensemble on stacked `visit_arrays`; outputs have the members in front."""
        inputs = {key: arrays[key] for key in ("vectors", "present", "facts")}
        return {key: np.asarray(out) for key, out in self.sequence.predict_on_batch(inputs).items()}


def _density(logits: NDArray[np.float32], breasts: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Average members and the breasts seen (both, if none is)."""
    each = softmax(logits.astype(np.float64), axis=-1).mean(axis=0)
    return np.asarray(each[breasts].mean(axis=0) if breasts.any() else each.mean(axis=0))


def _from_each_visit(
    days: NDArray[np.float64],
    ages: NDArray[np.float64],
    vectors: NDArray[np.float32],
    present: NDArray[np.bool_],
) -> Arrays:
    """Return a batch of `LONGEST` histories: the k-th begins at the k-th visit; rows beyond n are padding."""
    rows = [visit_arrays(days[k:], ages[k:], vectors[k:], present[k:], LONGEST) for k in range(len(days))]
    return stack_arrays(rows + [rows[0]] * (LONGEST - len(rows)))


def _laid_out(
    visits: Sequence[VisitInput], vector_size: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32], NDArray[np.bool_]]:
    """Return days, ages, vectors and what is present, as `visit_arrays` takes them."""
    days = np.array([visit.on.toordinal() for visit in visits], np.float64)
    ages = np.array([np.nan if v.age_years is None else v.age_years for v in visits], np.float64)
    return days, ages, *_slots(visits, vector_size)


def _slots(visits: Sequence[VisitInput], vector_size: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Put views in their places, (n, 2, 3, D) and (n, 2, 3); several views of one place are averaged."""
    vectors = np.zeros((len(visits), 2, len(SLOTS), vector_size), np.float32)
    present = np.zeros(vectors.shape[:-1], bool)
    for n, visit in enumerate(visits):
        placed: dict[tuple[int, int], list[NDArray[np.float32]]] = {}
        for view in visit.views:
            if view.reading.vector.shape != (vector_size,):
                raise ValueError(
                    f"A view's vector has {view.reading.vector.size} numbers, this model's encoder gives "
                    f"{vector_size}: encode the view again."
                )
            place = (SIDES.index(view.laterality), slot_of(view.view))
            placed.setdefault(place, []).append(view.reading.vector)
        for (side, slot), several in placed.items():
            # Sorted before they are summed, so that the order of views changes not even the last bit.
            vectors[n, side, slot] = np.sort(np.stack(several).astype(np.float64), axis=0).mean(axis=0)
            present[n, side, slot] = True
    return vectors, present


def _load(path: Path) -> keras.Model:
    """Load a network without its optimiser and without running code from the file."""
    return keras.saving.load_model(path, compile=False, safe_mode=True)


def untrained(seed: int, *, width: float = 1.0, members: int = 3) -> LongitudinalModel:
    """Return a model with random weights: real in every path, and knowing nothing. For tests and trials.

    Parameters
    ----------
    seed
        Seeds the weights; it also sets the global seeds of Python, numpy and Keras.
    width
        Multiplies the encoder's channels.
    members
        Sequence heads in the ensemble.
    """
    keras.utils.set_random_seed(seed)
    encoder = build_encoder(EncoderConfig(width=width))
    size = int(encoder.output["vector"].shape[-1])
    config = SequenceConfig(size, map_grid=coarse_grid())
    heads = [build_sequence(config, name=f"member{i}") for i in range(members)]
    card = ModelCard(
        name="untrained",
        title="Untrained networks",
        trained_on="nothing",
        licence="Apache-2.0",
        intended_use="Tests and trials of the software.",
        limits="The weights are random: its scores mean nothing.",
        metrics={},
        weights_sha256="",
        encoder_sha256="",
        calibration="not calibrated",
        created=date.today().isoformat(),
        files={},
        simulated_training=True,
        settings={"shape": list(NETWORK_SHAPE), "horizons_years": list(range(1, HORIZONS + 1))},
    )
    everything = Domain(
        mean=np.zeros(size, np.float32),
        scale=np.ones(size, np.float32),
        axes=np.zeros((size, 0), np.float32),
        spread=np.zeros(0, np.float32),
        rest=1.0,
        limit=float("inf"),
        ages=(0.0, 120.0),
        fitted_on="nothing: every picture is let pass",
        women=0,
        studies=0,
    )
    return LongitudinalModel(card, encoder, build_ensemble(heads, size), Calibration(), everything)
