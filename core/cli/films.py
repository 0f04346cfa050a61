"""The verb ``train films``: a longitudinal model that learns from real films and from lives in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from core.cli.groups import in_groups
from core.cli.manifests import card_words, manifests_of
from core.cli.progress import Progress, train
from core.cli.terminal import SOME_REFUSED, print_json, results, wrong_use


def register(_app: typer.Typer) -> None:
    """Add this module's verb."""
    train.command("films")(train_films)


@dataclass(frozen=True)
class FilmsAsked:
    """What is read, and where the model goes."""

    films: Annotated[
        list[Path],
        typer.Option(
            "--films", help="Exam manifest of real films, boxes around lesions. Give it again for more."
        ),
    ]
    made: Annotated[
        list[Path],
        typer.Option(
            "--made", help="Manifest of lives in these films (python -m seed_data films). Again for more."
        ),
    ]
    weights: Annotated[
        str,
        typer.Option(
            help="Networks that look at films: the name of a detector that has them, such as tumour-mg-film, or a folder with "
            "EfficientNet-Lite0's and -Lite2's PyTorch checkpoints and Keras' file of VGG16."
        ),
    ]
    out: Annotated[Path, typer.Option("--out", file_okay=False, help="Folder for the model.")]
    practice: Annotated[
        list[Path] | None,
        typer.Option(
            help="Manifest of these films with lesions drawn in (python -m seed_data lesions, without --moved). Again for "
            "more."
        ),
    ] = None
    pairs: Annotated[
        list[Path] | None,
        typer.Option(help="Manifest of real women with several studies and no cancer, who do not teach."),
    ] = None
    against: Annotated[
        list[Path] | None,
        typer.Option(help="Manifest of other pictures; the card says how many of them the model turns away."),
    ] = None


@dataclass(frozen=True)
class FilmPlanAsked:
    """How often what is trained, and measured."""

    folds: Annotated[
        int, typer.Option(min=3, max=20, help="Folds, by the woman whose pictures are shown.")
    ] = 5
    members: Annotated[int, typer.Option(min=1, max=20, help="Sequence heads in an ensemble.")] = 3
    judges: Annotated[
        int, typer.Option(min=1, max=20, help="The same of the ensembles that measure out of fold.")
    ] = 3
    steps: Annotated[int, typer.Option(min=1, help="Steps of each head's training, at most.")] = 400
    seed: Annotated[int, typer.Option(min=0, help="The same seed parts the women alike.")] = 0


@in_groups
def train_films(
    files: FilmsAsked,
    asked: FilmPlanAsked,
    card: Annotated[Path | None, typer.Option(help="JSON with words for the model's card.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON.")] = False,
) -> None:
    """Train a longitudinal model on real films and on lives in them, and measure it out of fold.

    A detector learns from boxes and from lesions in lives, a sequence from what it says of films that did not teach it. No
    film judges what it taught, and no woman is in two folds. A repeat in the same folder goes on where the last one stopped.
    """
    from models.store import backend

    facts = card_words(card)
    real, refused = manifests_of(files.films)
    lives, refused_lives = manifests_of(files.made)
    drawn, refused_drawn = manifests_of(files.practice or [])
    others, refused_pairs = manifests_of(files.pairs or [])
    strangers, refused_strangers = manifests_of(files.against or [])
    backend.load()
    from core.training import FilmPlan, train_on_films

    plan = FilmPlan(
        asked.folds, asked.members, asked.judges, asked.steps, asked.seed, facts.get("name", files.out.name)
    )
    try:
        measured = train_on_films(
            real,
            lives,
            files.weights,
            files.out,
            plan,
            Progress(),
            practice=drawn,
            pairs=others,
            against=strangers,
            facts=facts,
        )
    except ValueError as error:
        wrong_use(str(error))
    if as_json:
        print_json(measured)
    else:
        _tell(measured)
        results.print(f"The model is in {files.out}.", highlight=False, soft_wrap=True)
    if refused + refused_lives + refused_drawn + refused_pairs + refused_strangers:
        raise typer.Exit(SOME_REFUSED)


def _tell(measured: dict[str, Any]) -> None:
    from core.evaluation import with_bounds

    lines = []
    for years, one in measured["risk"].items():
        last = measured["controls"]["last"][years]
        low, high = last["gain_ci"]
        lines.append(
            f"cancer within {years} years: AUC {with_bounds(one['auc'], one['auc_ci'])}, {one['events']} cancers; history adds "
            f"{last['gain']:+.3f} ({low:+.3f} to {high:+.3f})"
        )
    if growth := measured.get("progression"):
        lines.append(f"progression: AUC {with_bounds(growth['auc'], growth['auc_ci'])}")
    for name, one in measured["real_films"].items():
        lines.append(f"real women, {name}: AUC {with_bounds(one['auc'], one['auc_ci'])}")
    if seen := measured.get("real_pairs"):
        lines.append(f"real pairs: {seen['taken_for_growth']} of {seen['breasts']} breasts taken for growth")
    for line in lines:
        results.print(line, highlight=False, soft_wrap=True)
