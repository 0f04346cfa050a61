"""Verbs of the command line: train longitudinal, calibration, domain and sequence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.evaluating import tell_measured
from core.cli.groups import in_groups
from core.cli.image_options import BACKBONES
from core.cli.manifests import card_words, manifests_of
from core.cli.progress import Progress, train
from core.cli.terminal import SOME_REFUSED, print_json, results, wrong_use

if TYPE_CHECKING:
    from core.training import Plan


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
    app.add_typer(train, name="train")


@dataclass(frozen=True)
class FilesAsked:
    """What is read, and where what is made goes."""

    data: Annotated[list[Path], typer.Option("--data", help="Exam manifest; give it again for more.")]
    out: Annotated[Path, typer.Option("--out", file_okay=False, help="Folder for the model.")]
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
    tell_measured(measured, as_json)
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
    out: Annotated[
        Path, typer.Option("--out", file_okay=False, help="Folder for the model with its new calibration.")
    ],
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
    out: Annotated[
        Path, typer.Option("--out", file_okay=False, help="Folder for the model with its domain.")
    ],
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
    out: Annotated[
        Path, typer.Option("--out", file_okay=False, help="Folder for the model and its metrics.")
    ],
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
