"""Verbs of the command line: train, evaluate, metrics."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.groups import in_groups
from core.cli.image_options import BACKBONES
from core.cli.progress import Progress, train
from core.cli.terminal import SOME_REFUSED, failed, log, print_json, results, wrong_use

if TYPE_CHECKING:
    from core.sets import Manifest
    from core.training import Plan


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
    app.add_typer(train, name="train")
    app.command()(evaluate)
    app.command()(metrics)


@dataclass(frozen=True)
class FilesAsked:
    """What is read, and where what is made goes."""

    data: Annotated[list[Path], typer.Option("--data", help="Exam manifest; give it again for more.")]
    out: Annotated[Path, typer.Option("--out", help="Folder for the model.")]
    encoder_data: Annotated[
        list[Path] | None,
        typer.Option("--encoder-data", help="Manifest with more images for the encoder alone."),
    ] = None
    card: Annotated[Path | None, typer.Option(help="JSON with words for the model's card.")] = None


@dataclass(frozen=True)
class PlanAsked:
    """What a longitudinal model is trained to be, as it is typed."""

    budget_minutes: Annotated[float, typer.Option(min=0.1, help="Time the whole training may take.")] = 60.0
    seed: Annotated[int, typer.Option(min=0, help="The same seed parts the women alike.")] = 0
    backbone: Annotated[str, typer.Option(help=BACKBONES)] = "compact"
    weights: Annotated[Path | None, typer.Option(help="Weights file the backbone starts from.")] = None
    members: Annotated[int, typer.Option(min=1, max=20, help="Sequence heads in the ensemble.")] = 5
    start_from: Annotated[
        Path | None, typer.Option(help="Folder of a trained model whose encoder is trained further.")
    ] = None
    keep_encoder: Annotated[
        bool,
        typer.Option(
            "--keep-encoder",
            help="Keep the encoder of --start-from as it is and train all that stands on it. Women that it was not "
            "trained on teach the most.",
        ),
    ] = False
    base_rates: Annotated[
        str | None,
        typer.Option(
            help="Percent of women with a cancer within 1, 2, 3, 4, 5 years where the model is to be used, such as "
            "0.5,0.7,1.1,1.4,1.8: risks are moved there from the share in the training set."
        ),
    ] = None

    def of(self, name: str) -> Plan:
        """Return the plan of a model of that name."""
        from core.training import Plan

        return Plan(
            minutes=self.budget_minutes,
            seed=self.seed,
            backbone=self.backbone,
            weights=str(self.weights) if self.weights else None,
            members=self.members,
            name=name,
            start_from=str(self.start_from) if self.start_from else None,
            keep_encoder=self.keep_encoder,
            base_rates=_base_rates(self.base_rates),
        )


@train.command()
@in_groups
def longitudinal(
    files: FilesAsked,
    asked: PlanAsked,
    as_json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON.")] = False,
) -> None:
    """Train encoder, sequence heads, controls and calibration. A run that was killed goes on where it stopped."""
    from models.store import backend

    manifests, refused = manifests_of(files.data)
    more, refused_more = manifests_of(files.encoder_data or [])
    facts = card_words(files.card)
    plan = asked.of(facts.get("name", files.out.name))
    backend.load()
    from core.training import train_longitudinal

    try:
        measured = train_longitudinal(
            manifests, files.out, plan, Progress(plan.minutes), encoder_only=more, facts=facts
        )
    except ValueError as error:
        wrong_use(str(error))
    _tell(measured, as_json)
    if not as_json:
        results.print(f"The model is in {files.out}.")
    if refused + refused_more:
        raise typer.Exit(SOME_REFUSED)


@train.command()
def calibration(
    model: Annotated[str, typer.Argument(help="Name of a shipped longitudinal model, or a model's folder.")],
    data: Annotated[
        list[Path],
        typer.Option("--data", help="Exam manifest of women who did not teach it; give it again for more."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the model with its new calibration.")],
    base_rates: Annotated[
        str | None,
        typer.Option(
            help="Percent of women with a cancer within 1, 2, 3, 4, 5 years where the model is to be used, if not as "
            "among these women."
        ),
    ] = None,
    sampling: Annotated[
        Path | None,
        typer.Option(
            "--sampling",
            help="CSV of patient_id,stands_for, where women were drawn by their outcome (case-cohort, case-control): how "
            "many women each stands for, one over her chance to be drawn.",
        ),
    ] = None,
) -> None:
    """Calibrate a trained longitudinal model anew, on women of the place where it is to be used."""
    from core.evaluation import is_image_model
    from models.store import backend, folder_of

    rates = _base_rates(base_rates)
    if is_image_model(model):
        wrong_use(
            f"{model} reads single images. Name a longitudinal model: its risks are what is calibrated."
        )
    try:
        folder = folder_of(model)
    except LookupError as error:
        wrong_use(str(error))
    manifests, refused = manifests_of(data)
    from core.sets import SamplingError, read_sampling

    try:
        stands_for = read_sampling(sampling) if sampling else None
    except SamplingError as error:
        wrong_use(str(error))
    backend.load()
    from core.training import recalibrate

    try:
        card = recalibrate(folder, manifests, out, Progress(), base_rates=rates, stands_for=stands_for)
    except ValueError as error:
        wrong_use(str(error))
    results.print(f"The model is in {out}. Calibration: {card.calibration}.", highlight=False, soft_wrap=True)
    if refused:
        raise typer.Exit(SOME_REFUSED)


@train.command()
def domain(
    model: Annotated[str, typer.Argument(help="Name of a shipped model, or a model's folder.")],
    data: Annotated[
        list[Path],
        typer.Option(
            "--data",
            help="Exam manifest of women of the kind it learned from; of a model of single images, manifest or folder of "
            "the pictures it was trained on. Give it again for more.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the model with its domain.")],
    against: Annotated[
        list[Path] | None,
        typer.Option(
            "--against",
            help="Exam manifest of other pictures; the card says how many of them the model turns away. Give it again for "
            "more.",
        ),
    ] = None,
    like: Annotated[
        list[Path] | None,
        typer.Option(
            "--like",
            help="Of a model of single images: pictures of another collection of the same kind (films of other scanners, say) "
            "that it shall speak of too. Give it again for more: each is measured by the limit that the others set.",
        ),
    ] = None,
    elsewhere: Annotated[
        Path | None,
        typer.Option(
            "--elsewhere",
            help="With --like: the metrics.json that evaluate wrote for the model on such pictures. Without it, or where it "
            "tells too little on them, the model does not speak of them.",
        ),
    ] = None,
) -> None:
    """Say which pictures a model knows, where it was made before that was kept; nothing else changes."""
    from core.evaluation import is_image_model
    from models.store import backend, folder_of

    try:
        folder = folder_of(model)
    except LookupError as error:
        wrong_use(str(error))
    if is_image_model(model):
        from core.cli.images import give_image_model_its_domain

        give_image_model_its_domain(folder, data, out, against or [], like or [], elsewhere)
        return
    if like or elsewhere:
        wrong_use("--like and --elsewhere are for models of single images.")
    manifests, refused = manifests_of(data)
    others, refused_others = manifests_of(against or [])
    backend.load()
    from core.training import give_domain

    try:
        card = give_domain(folder, manifests, out, Progress(), against=others)
    except ValueError as error:
        wrong_use(str(error))
    for name, share in card.settings["domain"]["turned_away"].items():
        results.print(
            f"{name}: {share['studies_beyond']} of {share['studies']} studies turned away "
            f"({share['views_beyond']} of {share['views']} views)",
            highlight=False,
        )
    results.print(f"The model {card.name} with its domain is in {out}.", highlight=False, soft_wrap=True)
    if refused + refused_others:
        raise typer.Exit(SOME_REFUSED)


def card_words(path: Path | None) -> dict[str, Any]:
    """Return the words for a model's card that a file holds; end with a message where it cannot be used."""
    if path is None:
        return {}
    try:
        words = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        wrong_use(f"--card {path} cannot be read: {error}.")
    if not isinstance(words, dict):
        wrong_use(f'--card {path} must hold one JSON object, such as {{"title": "..."}}.')
    from models.store import check_card_words

    try:
        check_card_words(words, f"--card {path}")
    except ValueError as error:
        wrong_use(str(error))
    return dict(words)


def _base_rates(said: str | None) -> tuple[float, ...] | None:
    if said is None:
        return None
    try:
        rates = tuple(float(part) / 100 for part in said.split(","))
    except ValueError:
        rates = ()
    if len(rates) != 5 or not all(0 < rate < 1 for rate in rates) or list(rates) != sorted(rates):
        wrong_use(
            f"--base-rates is {said!r}. Write five rising percentages with commas, such as 0.5,0.7,1.1,1.4,1.8."
        )
    return rates


@train.command()
def sequence(
    embeddings: Annotated[
        Path, typer.Option(help="Parquet or CSV: patient_id, months, e0.., years_to_cancer, …")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the model and its metrics.")],
    cv: Annotated[
        str | None,
        typer.Option(
            help="Folds x repeats of the cross-validation; as a rule 5x5, or fewer where women are few."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same folds.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON.")] = False,
) -> None:
    """Fit the sequence model on any encoder's vectors, beside last visit only and dates only."""
    from core.evaluation import with_bounds
    from core.training import EmbeddingsError, read_embeddings, train_on_embeddings

    match = re.fullmatch(r"(\d+)(?:x(\d+))?", cv) if cv else None
    if cv and (match is None or int(match[1]) < 2 or int(match[2] or 1) < 1):
        wrong_use(f"--cv is {cv!r}. Write folds x repeats, such as 5x5; two folds are the least.")
    folds, repeats = (int(match[1]), int(match[2] or 1)) if match else (0, 1)
    try:
        measured = train_on_embeddings(
            read_embeddings(embeddings), out, Progress(), folds=folds, repeats=repeats, seed=seed
        )
    except EmbeddingsError as error:
        wrong_use(str(error))
    if as_json:
        print_json(measured)
        return
    gain = measured.pop("gain", None)
    for mode, reached in measured.items():
        results.print(
            f"{mode:>8}: AUC {with_bounds(reached['auc'], reached['ci'])}, {reached['events']} cancers in "
            f"{reached['n']} women, out of fold"
            + (f", the LSTM's share {reached['lstm_share']:.0%}" if reached["lstm_share"] else ""),
            highlight=False,
        )
    if gain is not None:
        low, high = gain["ci"]
        results.print(
            f"Gain of history over the last visit: {gain['value']:+.3f} ({low:+.3f} to {high:+.3f}); {gain['said']}.",
            highlight=False,
        )
    results.print(f"The model is in {out}.")


def evaluate(
    model: Annotated[str, typer.Argument(help="Name of a shipped model, or a model's folder.")],
    data: Annotated[list[Path], typer.Option("--data", help="Exam manifest; give it again for more.")],
    out: Annotated[
        Path, typer.Option("--out", help="Folder for metrics.json, predictions.csv, report.html.")
    ],
    oracle_data: Annotated[
        list[Path] | None,
        typer.Option(
            help="Truth of other simulated women (`seed_data lives`) for the perfect readers to learn from."
        ),
    ] = None,
    sensitivity: Annotated[
        Path | None, typer.Option(help="sensitivity.json of `seed_data sensitivity`, to show in the report.")
    ] = None,
    draws: Annotated[int, typer.Option(min=20, help="Bootstrap draws for the intervals.")] = 1000,
    task: Annotated[
        str | None,
        typer.Option(
            help="finding, density, or a column of the manifest: measure what a longitudinal model's encoder tells of it "
            "in single mammograms, 5-fold by woman, instead of women's outcomes."
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            help="With --task: which classes, the positive one last; + joins: normal+benign,malignant."
        ),
    ] = None,
    both_breasts: Annotated[
        bool, typer.Option(help="With --task: set each film beside the same view of her other breast.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON.")] = False,
) -> None:
    """Measure a model on women it never saw: a longitudinal one beside simpler ones, or one of single images.

    Of simulated women, whose truth.csv lies beside the manifest, it also says how much could be known at all, and which
    targets are reached.
    """
    from core.evaluation import is_image_model
    from models.store import backend, folder_of, read_card

    if classes is not None and task is None:
        wrong_use("--classes are those of a --task: give both.")
    if task is None and not both_breasts:
        wrong_use("--no-both-breasts belongs to a --task: give both.")
    if is_image_model(model):
        from core.cli.images import evaluate_image_model

        if task is not None:
            wrong_use(f"{model} has its own task. --task asks what the encoder of a longitudinal model sees.")
        if oracle_data or sensitivity:
            wrong_use("--oracle-data and --sensitivity are for longitudinal models: leave them out.")
        evaluate_image_model(model, data, out, draws, as_json)
        return
    if task is not None and (oracle_data or sensitivity):
        wrong_use("--oracle-data and --sensitivity are for women's outcomes: leave them out with --task.")
    try:
        folder = folder_of(model)
        read_card(folder)
    except (LookupError, ValueError) as error:
        wrong_use(str(error))
    if task is not None:
        from core.cli.images import evaluate_films

        evaluate_films(folder, data, out, task, classes, both_breasts, draws, as_json)
        return
    manifests, refused = manifests_of(data)
    backend.load()
    from core.evaluation import evaluate_longitudinal

    try:
        measured = evaluate_longitudinal(
            folder,
            manifests,
            out,
            Progress(),
            oracle_data=oracle_data or [],
            sensitivity=sensitivity,
            times=draws,
        )
    except (LookupError, ValueError, OSError) as error:
        failed(error)
    _tell(measured, as_json)
    if not as_json:
        for target in measured["targets"]:
            results.print(
                f"{target['verdict']:>14}  {target['what']}: {target['measured']} (target: {target['target']})",
                highlight=False,
                soft_wrap=True,
            )
        results.print(f"The report is in {out / 'report.html'}.", highlight=False)
    if refused:
        raise typer.Exit(SOME_REFUSED)


def metrics(
    scores: Annotated[
        Path, typer.Argument(help="CSV: y_true, y_score[, cluster], or time, event, y_score, or all.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure scores: AUC with intervals, average precision, Brier, O/E, calibration, C-index, AUC by time in years."""
    from core.evaluation import ScoreFileError, measure_scores

    try:
        measured = measure_scores(scores)
    except ScoreFileError as error:
        wrong_use(str(error))
    if as_json:
        print_json(measured)
        return
    for key, value in measured.items():
        results.print(f"{key:>22}  {_figure(value)}")


def _figure(value: Any) -> str:
    if value is None:
        return "cannot be said"
    if isinstance(value, list):
        return " to ".join(_figure(one) for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{years} y: {_figure(one)}" for years, one in value.items())
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def manifests_of(paths: list[Path]) -> tuple[list[Manifest], int]:
    """Read manifests, telling on stderr what was refused or ignored."""
    from core.sets import ManifestError, read_manifest

    read, refused = [], 0
    for path in paths:
        try:
            manifest = read_manifest(path)
        except ManifestError as error:
            wrong_use(str(error))
        for notice in manifest.notices:
            log.print(f"{path}: {notice}", highlight=False, soft_wrap=True)
        for bad in manifest.refused[:20]:
            log.print(f"{path}, line {bad.line}: {bad.reason}", highlight=False)
        if len(manifest.refused) > 20:
            log.print(f"{path}: {len(manifest.refused) - 20} more rows refused.", highlight=False)
        refused += len(manifest.refused)
        read.append(manifest)
    return read, refused


def _tell(measured: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(measured)
        return
    from core.evaluation import said_interval, with_bounds

    for years, values in measured["risk"].items():
        results.print(
            f"{years}-year risk: AUC {said_interval(values, 'auc')}, {values['events']} cancers in "
            f"{values['n']} women, O/E {values['o_e']:.2f}, slope {values['calibration_slope']:.2f}",
            highlight=False,
        )
        for mode, by_horizon in measured["controls"].items():
            control = by_horizon[years]
            results.print(
                f"    beside {mode}: AUC {control['auc']:.3f}; gain "
                f"{with_bounds(control['gain'], control['gain_ci'], sign=True)}",
                highlight=False,
            )
    for name in ("malignancy", "progression"):
        if name in measured:
            results.print(f"{name}: AUC {said_interval(measured[name], 'auc')}", highlight=False)
    if "density" in measured:
        results.print(
            f"density: accuracy {measured['density']['accuracy']:.3f}, kappa {measured['density']['kappa']:.3f}, "
            f"linear {measured['density']['kappa_linear']:.3f}",
            highlight=False,
        )
    if measured.get("pointing", {}).get("hits") is not None:
        results.print(f"heat map's peak in the box: {measured['pointing']['hits']:.3f}", highlight=False)
