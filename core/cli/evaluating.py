"""Verbs of the command line: evaluate, metrics."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from core.cli.groups import in_groups
from core.cli.manifests import manifests_of
from core.cli.progress import Progress
from core.cli.terminal import SOME_REFUSED, failed, print_json, results, wrong_use


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
    app.command()(evaluate)
    app.command()(metrics)


@dataclass(frozen=True)
class OutcomesAsked:
    """What a longitudinal model's women are set beside."""

    oracle_data: Annotated[
        list[Path] | None,
        typer.Option(
            help="Truth of other simulated women (`seed_data lives`) for the perfect readers to learn from."
        ),
    ] = None
    sensitivity: Annotated[
        Path | None, typer.Option(help="sensitivity.json of `seed_data sensitivity`, to show in the report.")
    ] = None

    @property
    def any(self) -> bool:
        """Whether something is given."""
        return bool(self.oracle_data or self.sensitivity)


@dataclass(frozen=True)
class FilmsAsked:
    """What is asked of a longitudinal model's encoder in single mammograms."""

    task: Annotated[
        str | None,
        typer.Option(
            help="finding, density, or a column of the manifest: measure what a longitudinal model's encoder tells of it "
            "in single mammograms, 5-fold by woman, instead of women's outcomes."
        ),
    ] = None
    classes: Annotated[
        str | None,
        typer.Option(
            help="With --task: which classes, the positive one last; + joins: normal+benign,malignant."
        ),
    ] = None
    both_breasts: Annotated[
        bool, typer.Option(help="With --task: set each film beside the same view of her other breast.")
    ] = True

    def __post_init__(self) -> None:
        if self.classes is not None and self.task is None:
            raise ValueError("--classes are those of a --task: give both.")
        if self.task is None and not self.both_breasts:
            raise ValueError("--no-both-breasts belongs to a --task: give both.")


@in_groups
def evaluate(
    model: Annotated[str, typer.Argument(help="Name of a shipped model, or a model's folder.")],
    data: Annotated[list[Path], typer.Option("--data", help="Exam manifest; give it again for more.")],
    out: Annotated[
        Path,
        typer.Option("--out", file_okay=False, help="Folder for metrics.json, predictions.csv, report.html."),
    ],
    *,
    women: OutcomesAsked,
    draws: Annotated[int, typer.Option(min=20, help="Bootstrap draws for the intervals.")] = 1000,
    films: FilmsAsked,
    as_json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON.")] = False,
) -> None:
    """Measure a model on women it never saw: a longitudinal one beside simpler ones, or one of single images.

    Of simulated women, whose truth.csv lies beside the manifest, it also says how much could be known at all, and which
    targets are reached.
    """
    from core.evaluation import is_image_model
    from models.store import folder_of, read_card

    if is_image_model(model):
        from core.cli.images import evaluate_image_model

        if films.task is not None:
            wrong_use(f"{model} has its own task. --task asks what the encoder of a longitudinal model sees.")
        if women.any:
            wrong_use("--oracle-data and --sensitivity are for longitudinal models: leave them out.")
        evaluate_image_model(model, data, out, draws, as_json)
        return
    if films.task is not None and women.any:
        wrong_use("--oracle-data and --sensitivity are for women's outcomes: leave them out with --task.")
    try:
        folder = folder_of(model)
        read_card(folder)
    except (LookupError, ValueError) as error:
        wrong_use(str(error))
    if films.task is not None:
        from core.cli.images import evaluate_films

        evaluate_films(folder, data, out, films.task, films.classes, films.both_breasts, draws, as_json)
        return
    _evaluate_outcomes(folder, data, out, women, draws, as_json)


def _evaluate_outcomes(
    folder: Path, data: list[Path], out: Path, women: OutcomesAsked, draws: int, as_json: bool
) -> None:
    """Measure a longitudinal model by what became of women."""
    from models.store import backend

    manifests, refused = manifests_of(data)
    backend.load()
    from core.evaluation import evaluate_longitudinal

    try:
        measured = evaluate_longitudinal(
            folder,
            manifests,
            out,
            Progress(),
            oracle_data=women.oracle_data or [],
            sensitivity=women.sensitivity,
            times=draws,
        )
    except (LookupError, ValueError, OSError) as error:
        failed(error)
    tell_measured(measured, as_json)
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


def tell_measured(measured: dict[str, Any], as_json: bool) -> None:
    """Print what was measured of a longitudinal model."""
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
