"""Training of longitudinal models from exam manifests: from files to a folder with weights, card, curves, metrics."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.files import private_folder, write_whole
from core.rules.vocabulary import DENSITIES, FINDINGS
from core.sets import CachedViews, Exams, Manifest, cache_views, gather, late_rows, simulation_beside
from core.training.domain import domain_of
from core.training.longitudinal.heads import EncodedWomen, TrainedHeads, train_heads
from core.training.longitudinal.plan import Plan, Split, has_cancer, parts_needed, split_women
from core.training.runs import TrainingError, keep_facts, kept_facts, same_plan, write_curves
from models.store import OnProgress, keep_arrays, kept_arrays

if TYPE_CHECKING:  # Networks are loaded when training starts: `--help` must not wait for them.
    import keras

    from models.longitudinal import LongitudinalModel
    from models.measures import Domain
    from models.store import ModelCard
    from models.view import EncoderConfig, LabelledViews, TrainedEncoder

__all__ = ["labelled_views", "taught_by", "train_longitudinal"]


@dataclass(frozen=True)
class _Views:
    """Standard views of the women of each part, and the run's folder for what it keeps of them."""

    exams: Exams
    splits: list[Split]
    cached: CachedViews
    work: Path

    def of(self, *splits: Split) -> LabelledViews:
        """Return the views of some parts' women, a part after another, with their labels."""
        chosen = [i for split in splits for i in self.cached.usable() if self.split_of(i) is split]
        return labelled_views(self.exams, self.cached, chosen)

    def to_embed(self) -> list[int]:
        """Return the places of the images that teach more than the encoder."""
        return [i for i in self.cached.usable() if self.split_of(i) is not Split.ENCODER_ONLY]

    def split_of(self, image: int) -> Split:
        """Return the part that an image's woman is in."""
        return self.splits[self.exams.images[image].woman]


def labelled_views(exams: Exams, cached: CachedViews, chosen: Sequence[int]) -> LabelledViews:
    """Return the chosen images with their labels in network pixels."""
    from models.view import LabelledViews, LesionBox

    lesions, finding, density, boxed = [], [], [], []
    for i in chosen:
        image, transform = exams.images[i], cached.transforms[i]
        assert transform is not None
        boxes = [LesionBox(*transform.box_to_network(*box[:4]), malignant=box[4]) for box in image.boxes]
        lesions.append(boxes)
        # A finding without a box may be invisible in this view: then the view cannot teach it.
        unseen = exams.boxed and not boxes and image.finding not in (None, "normal")
        finding.append(-1 if image.finding is None or unseen else FINDINGS.index(image.finding))
        density.append(-1 if image.density is None else DENSITIES.index(image.density))
        boxed.append(exams.boxed and not unseen)
    return LabelledViews(
        pixels=late_rows(cached.pixels, chosen),
        lesions=lesions,
        finding=np.array(finding, np.int64),
        density=np.array(density, np.int64),
        boxed=np.array(boxed, bool),
    )


def train_longitudinal(
    manifests: Sequence[Manifest],
    out: Path,
    plan: Plan,
    report: OnProgress,
    *,
    encoder_only: Sequence[Manifest] = (),
    facts: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Train a longitudinal model and write it to `out`; a killed run goes on where it stopped.

    Parameters
    ----------
    manifests
        What to learn from; women are parted into encoder, sequence, validation and test women.
    out
        Folder for the model: weights, controls, card, curves, metrics; its `work` holds cache and state.
    plan
        Budget, seed, backbone; or the model whose encoder is trained further, or kept as it is.
    report
        Told of progress.
    encoder_only
        More images for the encoder, of other women: a set rich in findings, say, whose outcomes are not to teach
        how common cancer is.
    facts
        Overrides for the card (title, trained_on, licence, …).

    Returns
    -------
    dict
        The metrics on the test women, as written to `metrics.json`.

    Raises
    ------
    TrainingError
        If there is too little to learn from, or `out` holds another run.
    """
    begun = time.monotonic()
    exams = gather(manifests, encoder_only)
    splits = _checked_splits(exams, plan, more_for_encoder=bool(encoder_only))
    work = out / "work"
    private_folder(out)
    private_folder(work)
    same_plan(
        work / "plan.json",
        asdict(plan),
        [image.path for image in exams.images],
        [*(repr(replace(image, path=Path())) for image in exams.images), *map(repr, exams.women), *splits],
    )
    from models.longitudinal import LongitudinalModel
    from models.view import NETWORK_SHAPE, coarse_grid

    start = LongitudinalModel.load(Path(plan.start_from)) if plan.start_from else None
    shape = start.shape if start is not None else NETWORK_SHAPE
    views = _Views(exams, splits, cache_views(exams.images, work / "cache", report, shape=shape), work)
    views.cached.usable()
    trained = _trained_encoder(views, plan, start, begun, report)
    vectors = _vectors(views, trained.model, report)
    grid = coarse_grid(trained.model.input.shape[1:3])
    heads = train_heads(EncodedWomen(exams, splits, views.to_embed(), vectors, grid), plan, report)
    seeds = taught_by([*manifests, *encoder_only], start.card if start else None)
    measured = heads.measured | {
        "images": {"used": len(views.to_embed()), "left_out": len(views.cached.left_out)}
    }
    for mode, control in heads.controls.items():
        control.save(out / f"control_{mode}.keras")
    card = _card(plan, views, heads, measured, facts or {}, seeds)
    domain = _domain(views, vectors)
    LongitudinalModel(card, trained.model, heads.ensemble, heads.calibration, domain).save(out)
    write_whole(out / "metrics.json", json.dumps(measured, indent=1) + "\n")
    write_curves(out / "curves.csv", [*trained.curve, *heads.curve])
    return measured


def _checked_splits(exams: Exams, plan: Plan, *, more_for_encoder: bool) -> list[Split]:
    """Return each woman's part, or refuse with `TrainingError` where there is too little to learn from."""
    if plan.keep_encoder and (not plan.start_from or more_for_encoder):
        raise TrainingError(
            "To keep an encoder, say with --start-from which model's it is, and give no images for the encoder alone."
        )
    splits = split_women(exams.women, plan.seed, keep_encoder=plan.keep_encoder)
    for split in parts_needed(keep_encoder=plan.keep_encoder):
        if split not in splits:
            raise TrainingError(
                f"{len(exams.women)} women are too few: none is left for the {split} part. Ten are the least."
            )
    if not any(has_cancer(woman) for woman in exams.women):
        raise TrainingError(
            "None of the women has a cancer: a risk cannot be learned. Give cancer_date, or a malignant finding, of "
            "those who had one."
        )
    return splits


def _trained_encoder(
    views: _Views, plan: Plan, start: LongitudinalModel | None, begun: float, report: OnProgress
) -> TrainedEncoder:
    """Train an encoder, further than the one it starts from; or keep that as it is."""
    from models.view import EncoderConfig, EncoderRecipe, TrainedEncoder, train_encoder

    if plan.keep_encoder and start is not None:
        return TrainedEncoder(start.encoder, [])
    config = EncoderConfig(backbone=plan.backbone, weights=plan.weights)
    seconds = _encoder_seconds(
        views.work / "budget.json",
        plan,
        begun,
        config,
        views=len(views.to_embed()),
        women=sum(split is not Split.ENCODER_ONLY for split in views.splits),
    )
    return train_encoder(
        config,
        views.of(Split.ENCODER, Split.ENCODER_ONLY),
        views.of(Split.VALIDATION),
        # An encoder that is gone on with knows what lesions look like; it needs whole views more.
        EncoderRecipe(seconds=seconds, seed=plan.seed, crop_share=0.25 if start else 0.5),
        views.work / "encoder",
        report,
        start=start.encoder if start else None,
    )


def _vectors(views: _Views, encoder: keras.Model, report: OnProgress) -> NDArray[np.float32]:
    """Return what the encoder says of the images to embed, (m, D), kept so that a run that goes on has it."""
    from models.view import embed

    path = views.work / f"embedded-{views.cached.stamp}.npz"
    kept = kept_arrays(path)
    if kept is not None:
        return kept["vector"]
    vectors = embed(encoder, late_rows(views.cached.pixels, views.to_embed()), report)["vector"]
    keep_arrays(path, vector=vectors)
    return vectors


def _domain(views: _Views, vectors: NDArray[np.float32]) -> Domain | None:
    """Return what the model knows, by women whose views did not teach the encoder: of those it is not too sure.

    None where they are too few: such a model is believed of nobody until it is calibrated on more.
    """
    shown = views.to_embed()
    unseen = [place for place, i in enumerate(shown) if views.split_of(i) is not Split.ENCODER]
    try:
        return domain_of(
            views.exams,
            [shown[place] for place in unseen],
            vectors[unseen],
            "women who did not teach the encoder",
        )
    except ValueError:
        return None


def taught_by(manifests: Sequence[Manifest], before: ModelCard | None = None) -> list[int]:
    """Return the seeds of the simulated sets among manifests and, on from another model, of those it learned from."""
    described = [simulation_beside(manifest.source) for manifest in manifests]
    earlier = before.settings.get("seeds", []) if before is not None else []
    return sorted({int(one["seed"]) for one in described if one is not None} | set(earlier))


def _encoder_seconds(
    path: Path, plan: Plan, begun: float, config: EncoderConfig, *, views: int, women: int
) -> float:
    """Part the budget: what reading has taken and what embedding and the heads will take is not the encoder's."""
    from models.view import build_encoder

    before = kept_facts(path)
    if before is not None:
        return float(before["encoder_seconds"])
    model = build_encoder(config)
    batch = np.zeros((16, *config.shape, 1), np.float32)
    model.predict_on_batch(batch)
    taken = []
    for _ in range(5):
        started = time.monotonic()
        model.predict_on_batch(batch)
        taken.append(time.monotonic() - started)
    # The middle one: the first still warms up, and another process may come between.
    embedding = sorted(taken)[2] / 16 * views * 1.3
    # Measured: 0.19 s a woman for five members, their controls and the trials before them, on 2 cores.
    heads = min(0.3 * plan.minutes * 60, 60 + 0.25 * women * plan.members / 5)
    left = plan.minutes * 60 - (time.monotonic() - begun) - embedding - heads
    seconds = max(left, 0.3 * plan.minutes * 60)
    keep_facts(path, {"encoder_seconds": seconds, "embedding": embedding, "heads": heads})
    return seconds


def _card(
    plan: Plan,
    views: _Views,
    heads: TrainedHeads,
    measured: dict[str, Any],
    facts: dict[str, Any],
    seeds: list[int],
) -> ModelCard:
    from models.store import ModelCard

    more = views.splits.count(Split.ENCODER_ONLY)
    card = ModelCard(
        name=plan.name,
        title="Longitudinal model (CNN + LSTM)",
        trained_on=f"{len(views.splits) - more} women, {len(views.to_embed())} images, from the manifests given"
        + (f"; the encoder on images of {more} more" if more else ""),
        licence="As the training data allow",
        intended_use="Research and teaching. It supports a reader and never replaces one.",
        limits="Not validated for clinical use.",
        metrics=measured,
        weights_sha256="",
        encoder_sha256="",
        calibration="",
        created=date.today().isoformat(),
        files={f"control_{mode}.keras": "" for mode in heads.controls},
        simulated_training=False,
        # Where a folder lay on one machine is nobody else's concern.
        settings={
            "plan": asdict(plan) | {"start_from": Path(plan.start_from).name if plan.start_from else None}
        },
    )
    values = card.to_json() | {key: value for key, value in facts.items() if key in card.to_json()}
    values["settings"] = values["settings"] | {
        "seeds": seeds,
        **heads.reference,
    }
    return ModelCard(**values)
