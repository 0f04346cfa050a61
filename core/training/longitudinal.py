"""Training of longitudinal models from exam manifests: from files to a folder with weights, card, curves, metrics."""

from __future__ import annotations

import hashlib
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
from core.rules.vocabulary import DENSITIES, FINDINGS, FindingClass
from core.sets import (
    CachedViews,
    Exams,
    Manifest,
    Report,
    Woman,
    cache_views,
    gather,
    histories_of,
    late_rows,
    observed_rates,
    simulation_beside,
    stated_split,
)
from core.training.runs import TrainingError, same_plan, write_curves

if TYPE_CHECKING:  # Networks are loaded when training starts: `--help` must not wait for them.
    from models.longitudinal import Calibration
    from models.sequence import History, SequenceConfig
    from models.store import ModelCard
    from models.view import LabelledViews

__all__ = ["Plan", "labelled_views", "split_women", "taught_by", "train_longitudinal"]

SPLITS = ("encoder", "sequence", "validation", "test")
ENCODER_ONLY = "encoder-only"
SHARES = {"encoder": 0.55, "sequence": 0.18, "validation": 0.17, "test": 0.10}
KEPT_SHARES = {"sequence": 0.70, "validation": 0.20, "test": 0.10}
"""Of women whose views an encoder only reads."""


@dataclass(frozen=True)
class Plan:
    """What a run was asked for; a run goes on only under the same plan."""

    minutes: float = 60.0
    seed: int = 0
    backbone: str = "compact"
    weights: str | None = None
    members: int = 5
    name: str = "longitudinal"
    start_from: str | None = None
    keep_encoder: bool = False
    base_rates: tuple[float, ...] | None = None


def split_women(women: Sequence[Woman], seed: int, *, keep_encoder: bool = False) -> list[str]:
    """Assign each woman to one of `SPLITS`, the same for the same seed, cancers spread evenly.

    A `split` the manifest states (train, validation, test) is kept; train is parted between encoder and sequence, and
    validation too where the manifest states none for that. With `keep_encoder` no woman is kept for the encoder, which
    is not trained. `TrainingError` if a stated split is none of these.
    """
    unstated = KEPT_SHARES if keep_encoder else SHARES
    stated_train = {"sequence": 1.0} if keep_encoder else {"encoder": 0.75, "sequence": 0.25}
    splits = {_stated(woman) for woman in women}
    if "train" in splits and "validation" not in splits:
        parts = {name: share for name, share in unstated.items() if name != "test"}
        stated_train = {name: share / sum(parts.values()) for name, share in parts.items()}

    def key(woman: Woman) -> str:
        return hashlib.sha256(f"{seed} {woman.patient_id}".encode()).hexdigest()

    assigned = [ENCODER_ONLY if woman.split == ENCODER_ONLY else "" for woman in women]
    for stated in (None, "train", "validation", "test"):
        shares = {None: unstated, "train": stated_train}.get(stated, {str(stated): 1.0})
        for ill in (True, False):
            group = [
                i
                for i, woman in enumerate(women)
                if not assigned[i] and _has_cancer(woman) == ill and _stated(woman) == stated
            ]
            group.sort(key=lambda i: key(women[i]))
            edges = np.round(np.cumsum(list(shares.values())) * len(group)).astype(int)
            for place, i in enumerate(group):
                assigned[i] = list(shares)[int(np.searchsorted(edges, place, side="right"))]
    return assigned


def _has_cancer(woman: Woman) -> bool:
    return woman.cancer_date is not None or any(
        FindingClass.MALIGNANT in study.values() for study in woman.finding
    )


def _stated(woman: Woman) -> str | None:
    if woman.split in (None, ENCODER_ONLY):
        return None
    known = stated_split(woman.split)
    if known is None:
        raise TrainingError(
            f"The split of {woman.patient_id} is {woman.split!r}, not train, validation or test. Correct it, or leave it blank."
        )
    return known


def labelled_views(exams: Exams, cached: CachedViews, chosen: Sequence[int]) -> LabelledViews:
    """Return the chosen images with their labels in network pixels."""
    from models.view import LabelledViews, Lesion

    lesions, finding, density, boxed = [], [], [], []
    for i in chosen:
        image, transform = exams.images[i], cached.transforms[i]
        assert transform is not None
        boxes = [Lesion(*transform.box_to_network(*box[:4]), malignant=box[4]) for box in image.boxes]
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
    report: Report,
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
    if plan.keep_encoder and (not plan.start_from or encoder_only):
        raise TrainingError(
            "To keep an encoder, say with --start-from which model's it is, and give no images for the encoder alone."
        )
    splits = split_women(exams.women, plan.seed, keep_encoder=plan.keep_encoder)
    for split in KEPT_SHARES if plan.keep_encoder else SHARES:
        if split not in splits and split != "test":
            raise TrainingError(
                f"{len(exams.women)} women are too few: none is left for the {split} part. Ten are the least."
            )
    if not any(_has_cancer(woman) for woman in exams.women):
        raise TrainingError(
            "None of the women has a cancer: a risk cannot be learned. Give cancer_date, or a malignant finding, of "
            "those who had one."
        )
    work = out / "work"
    private_folder(out)
    private_folder(work)
    same_plan(
        work / "plan.json",
        asdict(plan),
        [image.path for image in exams.images],
        [*(repr(replace(image, path=Path())) for image in exams.images), *map(repr, exams.women), *splits],
    )
    cached = cache_views(exams.images, work / "cache", report)
    rows = cached.usable()

    from models.longitudinal import LongitudinalModel
    from models.view import EncoderConfig, EncoderRecipe, TrainedEncoder, build_encoder, embed, train_encoder

    def of(split: str) -> list[int]:
        return [i for i in rows if splits[exams.images[i].woman] == split]

    loaded = LongitudinalModel.load(Path(plan.start_from)) if plan.start_from else None
    start, before = (loaded.encoder, loaded.card) if loaded else (None, None)
    if plan.keep_encoder and start is not None:
        trained = TrainedEncoder(start, [])
    else:
        config = EncoderConfig(backbone=plan.backbone, weights=plan.weights)
        seconds = _encoder_seconds(
            work / "budget.json",
            plan,
            begun,
            build_encoder,
            config,
            views=sum(splits[exams.images[i].woman] != ENCODER_ONLY for i in rows),
            women=sum(split != ENCODER_ONLY for split in splits),
        )
        trained = train_encoder(
            config,
            labelled_views(exams, cached, of("encoder") + of(ENCODER_ONLY)),
            labelled_views(exams, cached, of("validation")),
            # An encoder that is gone on with knows what lesions look like; it needs whole views more.
            EncoderRecipe(seconds=seconds, seed=plan.seed, crop_share=0.25 if start else 0.5),
            work / "encoder",
            report,
            start=start,
        )
    rows = [i for i in rows if splits[exams.images[i].woman] != ENCODER_ONLY]
    embedded = work / f"embedded-{cached.stamp}.npz"
    if embedded.is_file():
        with np.load(embedded) as file:
            vectors = file["vector"]
    else:
        vectors = embed(trained.model, late_rows(cached.pixels, rows), report)["vector"]
        half = embedded.with_name("embedded.half.npz")
        np.savez(half, vector=vectors)
        half.replace(embedded)
    seeds = taught_by([*manifests, *encoder_only], before)
    return _train_heads(exams, splits, rows, vectors, trained, plan, out, report, facts or {}, cached, seeds)


def taught_by(manifests: Sequence[Manifest], before: ModelCard | None = None) -> list[int]:
    """Return the seeds of the simulated sets among manifests and, on from another model, of those it learned from."""
    described = [simulation_beside(manifest.source) for manifest in manifests]
    earlier = before.settings.get("seeds", []) if before is not None else []
    return sorted({int(one["seed"]) for one in described if one is not None} | set(earlier))


def _encoder_seconds(
    path: Path, plan: Plan, begun: float, build: Any, config: Any, *, views: int, women: int
) -> float:
    """Part the budget: what reading has taken and what embedding and the heads will take is not the encoder's."""
    if path.is_file():
        return float(json.loads(path.read_text("utf-8"))["encoder_seconds"])
    model = build(config)
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
    write_whole(path, json.dumps({"encoder_seconds": seconds, "embedding": embedding, "heads": heads}))
    return seconds


def _train_heads(
    exams: Exams,
    splits: list[str],
    rows: list[int],
    vectors: NDArray[np.float32],
    trained: Any,
    plan: Plan,
    out: Path,
    report: Report,
    facts: dict[str, Any],
    cached: CachedViews,
    seeds: list[int],
) -> dict[str, Any]:
    """Train the ensemble and the controls on the embeddings, calibrate, measure, write."""
    from models.longitudinal import LongitudinalModel, measure, prediction_table
    from models.sequence import MODES, SequenceConfig, SequenceRecipe, as_mode, build_ensemble, fit_sequence
    from models.store import ModelCard
    from models.view import coarse_grid

    grouped: dict[str, list[History]] = {
        split: histories_of(exams, rows, vectors, [i for i, one in enumerate(splits) if one == split])
        for split in SPLITS
    }
    learned_from = {"sequence women": grouped["sequence"]}
    if grouped["encoder"]:
        both = grouped["encoder"] + grouped["sequence"]
        learned_from = {"encoder and sequence women": both, **learned_from}
    size = int(vectors.shape[1])
    config = SequenceConfig(size, map_grid=coarse_grid(trained.model.input.shape[1:3]))
    recipe = SequenceRecipe(members=plan.members, seed=plan.seed)
    curve = list(trained.curve)
    config, training, chosen = _choose(
        config,
        learned_from,
        grouped,
        plan,
        report,
    )
    members, records = fit_sequence(config, training, grouped["validation"], recipe, report, name="history")
    curve += records
    ensemble = build_ensemble(members, size)
    calibration = calibrate(ensemble, grouped["validation"])
    served = calibration
    if plan.base_rates is not None:
        everyone = [history for one in grouped.values() for history in one]
        served = moved_to(calibration, everyone, plan.base_rates, "the training set")
    controls = {}
    for mode in MODES[1:]:
        shown = [one for history in training for one in as_mode(history, mode)]
        held = [one for history in grouped["validation"] for one in as_mode(history, mode)]
        width = shown[0].vectors.shape[-1]
        quick = SequenceRecipe(members=min(3, plan.members), seed=plan.seed)
        smaller = config if mode == "last" else SequenceConfig(width)
        members, records = fit_sequence(smaller, shown, held, quick, report, name=mode)
        curve += records
        controls[mode] = build_ensemble(members, width)
    test = grouped["test"] or grouped["validation"]
    measured = measure(prediction_table(ensemble, calibration, controls, test))
    measured["measured_on"] = "test women" if grouped["test"] else "validation women (too few for a test)"
    measured["split"] = {split: splits.count(split) for split in (*SPLITS, ENCODER_ONLY)}
    measured["sequence_trained_on"] = chosen
    measured["images"] = {"used": len(rows), "left_out": len(cached.left_out)}
    for mode, control in controls.items():
        control.save(out / f"control_{mode}.keras")
    card = ModelCard(
        name=plan.name,
        title="Longitudinal model (CNN + LSTM)",
        trained_on=f"{len(splits) - splits.count(ENCODER_ONLY)} women, {len(rows)} images, from the manifests given"
        + (f"; the encoder on images of {splits.count(ENCODER_ONLY)} more" if ENCODER_ONLY in splits else ""),
        licence="As the training data allow",
        intended_use="Research and teaching. It supports a reader and never replaces one.",
        limits="Not validated for clinical use.",
        metrics=measured,
        weights_sha256="",
        encoder_sha256="",
        calibration="",
        created=date.today().isoformat(),
        files={f"control_{mode}.keras": "" for mode in controls},
        simulated_training=False,
        # Where a folder lay on one machine is nobody else's concern.
        settings={
            "plan": asdict(plan) | {"start_from": Path(plan.start_from).name if plan.start_from else None}
        },
    )
    values = card.to_json() | {key: value for key, value in facts.items() if key in card.to_json()}
    values["settings"] = values["settings"] | {"seeds": seeds}
    model = LongitudinalModel(ModelCard(**values), trained.model, ensemble, served)
    model.save(out)
    write_whole(out / "metrics.json", json.dumps(measured, indent=1) + "\n")
    write_curves(out / "curves.csv", curve)
    return measured


def _choose(
    config: SequenceConfig,
    women: dict[str, list[History]],
    grouped: dict[str, list[History]],
    plan: Plan,
    report: Report,
) -> tuple[SequenceConfig, list[History], str]:
    """Ask the validation women, with one member each, what the heads are to learn from.

    The encoder has seen the encoder women: their vectors are surer than a new woman's, its learned features most of
    all. More women or cleaner vectors, all features or only what was measured: neither is known beforehand.
    """
    from models.sequence import SequenceRecipe, fit_sequence
    from models.view import FEATURES

    configs = {
        "all features": config,
        "facts alone": replace(config, skip=FEATURES, fused=24, step=32, state=24, dropout=0.3),
    }
    trials = [(one, other) for one in women for other in configs if len(women[one]) >= 100]
    if not trials:
        first, hers = next(iter(women.items()))
        return config, hers, f"{first}, all features"
    trial = SequenceRecipe(members=1, epochs=60, patience=10, seed=plan.seed)
    reached = {}
    for one, other in trials:
        held = grouped["validation"]
        _, tried = fit_sequence(configs[other], women[one], held, trial, report, name="trial")
        reached[one, other] = min(float(record["validation"]) for record in tried)
    best = min(reached, key=lambda names: reached[names])
    return configs[best[1]], women[best[0]], ", ".join(best)


def moved_to(
    calibration: Calibration, women: Sequence[History], base_rates: tuple[float, ...], whose: str
) -> Calibration:
    """Move risks from the share of cancers among women to that of where the model is to be used; it says so."""
    said = ", ".join(f"{100 * rate:.2g}" for rate in base_rates)
    moved = f"{calibration.fitted_on}; moved from {whose}'s share of cancers to {said} % within 1..5 years"
    return replace(calibration.moved(observed_rates(women), base_rates), fitted_on=moved)


def calibrate(
    ensemble: Any,
    validation: Sequence[History],
    whose: str = "validation women",
    before: Calibration | None = None,
) -> Calibration:
    """Calibrate an ensemble on the index visits of women who did not teach it; `whose` tells who they are.

    `before` is as for `models.longitudinal.calibration.fit_calibration`.
    """
    from models.longitudinal import fit_calibration
    from models.sequence import predict_histories, risk_from_hazards

    answers = predict_histories(ensemble, validation)
    usable = [i for i, history in enumerate(validation) if not history.years_to_cancer[-1] < 0]
    hazards = np.stack([answers[i]["hazard"][:, -1] for i in usable], axis=1)

    def breasts(name: str, *, last: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        raw, label = [], []
        for answer, history in zip(answers, validation, strict=True):
            visits = slice(-1, None) if last else slice(None)
            truth = getattr(history, name)[visits]
            seen = np.asarray(history.present.any(axis=2), bool)
            known = np.isfinite(truth) & seen[visits]
            raw.append(answer[name].mean(axis=0)[visits][known])
            label.append(truth[known])
        return np.concatenate(raw), np.concatenate(label).astype(np.float64)

    return fit_calibration(
        risk_from_hazards(hazards),
        np.array([validation[i].years_to_cancer[-1] for i in usable]),
        np.array([validation[i].years_followed[-1] for i in usable]),
        breasts("malignancy", last=True),
        breasts("progression", last=False),
        f"logistic per horizon, fitted on the last visits of {len(usable)} {whose}",
        before,
    )
