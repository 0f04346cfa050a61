"""Verbs of the command line for single images: train image, compare, classify, and evaluate's part for such models."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.groups import in_groups
from core.cli.image_options import (
    AugmentationAsked,
    DurationAsked,
    FilesAsked,
    KernelAsked,
    MeasuringAsked,
    NetworkAsked,
    PicturesAsked,
)
from core.cli.progress import Progress, train
from core.cli.terminal import SOME_REFUSED, log, print_json, results, wrong_use
from core.training import RecipeName
from models.classifier import Region

if TYPE_CHECKING:
    from core.desk import Classified
    from core.sets import Cases


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
    train.command("image")(train_image_model)
    app.command()(compare)
    app.command()(classify)


@in_groups
def train_image_model(
    files: FilesAsked,
    pictures: PicturesAsked,
    network: NetworkAsked,
    kernel: KernelAsked,
    augmentation: AugmentationAsked,
    duration: DurationAsked,
    measuring: MeasuringAsked,
    as_json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON.")] = False,
) -> None:
    """Train a classifier of single images; with --weights in two phases: head alone, then fine-tuned.

    Images are parted by woman (or as the manifest's split column says). One woman or near duplicates in two splits
    stop the run, with their names. A run that was killed goes on where it stopped.

    Exit code 0: done; 1: done, but some images or rows were left out; 2: wrong use.
    """
    from models.store import backend

    try:
        if network.recipe is RecipeName.AUTO and pictures.size is not None:
            raise ValueError("--recipe auto chooses the size itself: leave --size out.")
        gathered = _gathered(files, pictures)
        backend.load()
        from core.training import ImagePlan, train_image
        from models.classifier import backbone_called

        plan = ImagePlan(
            pictures.of(gathered, network.head),
            augmentation,
            replace(network, backbone=backbone_called(network.backbone)),
            replace(kernel, beside=backbone_called(kernel.beside) if kernel.beside else None),
            duration,
            measuring,
            name=files.out.resolve().name,
        )
        _tell_refused(gathered.refused)
        measured = train_image(gathered, files.out, plan, Progress(duration.minutes), _about(files.about))
    except ValueError as error:
        wrong_use(str(error))
    for notice in gathered.notices:
        log.print(notice, highlight=False, soft_wrap=True, markup=False)
    _tell_refused(list(measured["images"]["left_out"].items()))
    _tell(measured, as_json)
    if not as_json:
        results.print(f"The model is in {files.out}.", markup=False)
    if gathered.refused or measured["images"]["left_out"]:
        raise typer.Exit(SOME_REFUSED)


def _gathered(files: FilesAsked, pictures: PicturesAsked) -> Cases:
    from core.sets import gather_cases, parse_density_source, with_practice

    source = parse_density_source(pictures.density_from)
    gathered = gather_cases(files.data, pictures.task, boxes=pictures.boxes, density_from=source)
    if files.practice:
        others = gather_cases(files.practice, pictures.task, boxes=pictures.boxes, density_from=source)
        gathered = with_practice(gathered, others)
    return gathered


def evaluate_image_model(model: str, data: list[Path], out: Path, draws: int, as_json: bool) -> None:
    """Measure a model of single images; `core.cli.evaluating.evaluate` hands over here."""
    from core.evaluation import evaluate_image
    from core.sets import gather_cases, parse_density_source
    from models.store import backend, folder_of, read_card

    try:
        folder = folder_of(model)
        settings = read_card(folder).settings
        plan = settings.get("plan", {})
        source = parse_density_source(plan.get("density_from"))
        boxes = plan.get("region") == Region.BOX
        gathered = gather_cases(data, settings["task"], boxes=boxes, density_from=source)
        _tell_refused(gathered.refused)
        backend.load()
        measured = evaluate_image(folder, gathered, out, Progress(), times=draws)
    except (LookupError, ValueError) as error:
        wrong_use(str(error))
    _tell_evaluation(gathered, measured, as_json)


def give_image_model_its_domain(
    folder: Path, data: list[Path], out: Path, against: list[Path], like: list[Path], elsewhere: Path | None
) -> None:
    """Say which pictures a model of single images knows; `core.cli.training.domain` hands over here."""
    from core.sets import gather_cases, gather_pictures, parse_density_source
    from models.store import backend, read_card

    try:
        settings = read_card(folder).settings
        plan = settings.get("plan", {})
        boxes = plan.get("region") == Region.BOX
        source = parse_density_source(plan.get("density_from"))
        own = gather_cases(data, settings["task"], boxes=boxes, density_from=source)
        others = {_name_of(path): gather_pictures(path, boxes=boxes) for path in against}
        measured = None if elsewhere is None else _measured_elsewhere(elsewhere)
        alike = {_name_of(path): gather_pictures(path, boxes=boxes) for path in like}
        backend.load()
        from core.training import give_picture_domain

        card = give_picture_domain(
            folder, own, out, Progress(), against=others, like=alike, elsewhere=measured
        )
    except (LookupError, ValueError) as error:
        wrong_use(str(error))
    known = card.settings["domain"]
    told = {"of the same kind, unseen": known["same_kind"], "not trained on": known.get("new")}
    told |= {f"{name}, by the limit of the others": one for name, one in known.get("like", {}).items()}
    for name, share in (told | known["turned_away"]).items():
        if share:
            results.print(
                f"{name}: {share['cases_beyond']} of {share['cases']} turned away",
                highlight=False,
                markup=False,
            )
    results.print(f"The model {card.name} with its domain is in {out}.", highlight=False, soft_wrap=True)
    refused = own.refused + [one for cases in (*others.values(), *alike.values()) for one in cases.refused]
    _tell_refused(refused)
    if refused:
        raise typer.Exit(SOME_REFUSED)


def _measured_elsewhere(path: Path) -> dict[str, Any]:
    """Read metrics of `evaluate`; ValueError if the file holds none."""
    try:
        measured = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(measured, dict) or "auc" not in measured:
        raise ValueError(f"{path} is no metrics.json of python -m core evaluate.")
    return measured


def _name_of(path: Path) -> str:
    """Return what a collection is called: its folder."""
    return (path if path.is_dir() else path.parent).absolute().name


def evaluate_films(
    folder: Path,
    data: list[Path],
    out: Path,
    task: str,
    classes: str | None,
    both_breasts: bool,
    draws: int,
    as_json: bool,
) -> None:
    """Measure what a longitudinal model's encoder sees in single mammograms; `core.cli.evaluating.evaluate` hands over."""
    from core.evaluation import evaluate_encoder
    from core.sets import gather_cases
    from models.store import backend

    try:
        gathered = gather_cases(data, task)
        _tell_refused(gathered.refused)
        backend.load()
        measured = evaluate_encoder(
            folder, gathered, out, Progress(), classes=classes, both_breasts=both_breasts, times=draws
        )
    except (LookupError, ValueError) as error:
        wrong_use(str(error))
    _tell_evaluation(gathered, measured, as_json)


def _tell_evaluation(gathered: Cases, measured: dict[str, Any], as_json: bool) -> None:
    """Print notices, what was left out, and the measures; some left out make the exit code 1."""
    for notice in [*gathered.notices, *measured["notices"]]:
        log.print(notice, highlight=False, soft_wrap=True, markup=False)
    _tell_refused(list(measured["images"]["left_out"].items()))
    _tell(measured, as_json)
    if gathered.refused or measured["images"]["left_out"]:
        raise typer.Exit(SOME_REFUSED)


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of train image or evaluate.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", file_okay=False, help="Folder for comparison.json and report.html."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Set runs side by side on the cases that all of them predicted, with paired tests."""
    from core.evaluation import MEASURES, compare_runs, said_interval, with_bounds

    try:
        compared = compare_runs(runs, out)
    except ValueError as error:
        wrong_use(str(error))
    if as_json:
        print_json(compared)
        return
    results.print(f"{compared['n']} images of {compared['women']} women or groups", highlight=False)
    for name, measured in compared["runs"].items():
        said = ", ".join(f"{MEASURES[key]} {said_interval(measured, key)}" for key in ("accuracy", "auc"))
        results.print(f"{name}: {said}", highlight=False, markup=False)
    for pair in compared["pairs"]:
        for key in ("accuracy", "auc", "delong"):
            test = pair.get(key)
            if test is None or test["difference"] is None:
                continue
            words = "ROC-AUC by DeLong" if key == "delong" else MEASURES[key]
            results.print(
                f"{pair['one']} – {pair['other']}: {words} {with_bounds(test['difference'], test['ci'], sign=True)}, "
                f"p = {test['p']:.3f}",
                highlight=False,
                markup=False,
            )


def classify(
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE...", help="DICOM, PNG, JPEG files or folders.")
    ],
    roi: Annotated[
        str | None, typer.Option(help="A region in pixels, origin top left.", metavar="x0,y0,x1,y1")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Name or folder of a model to ask; default: those that are installed.")
    ] = None,
    study: Annotated[
        bool,
        typer.Option(
            "--study",
            help="The images are one study of one woman: each film is read beside the same view of her other breast.",
        ),
    ] = False,
    views: Annotated[
        list[str] | None,
        typer.Option(
            help="With --study: side and view of a file that does not say them.", metavar="NAME=SIDE-VIEW"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell tumour and density probabilities of single mammograms; other pictures are turned away.

    Each model speaks only of pictures like those that it learned from. Of others its numbers are null in JSON, stand
    under "untrusted" for research, and "trust" says why: that of the model that tells tumours. Density is another
    model's, whose trust stands under "density_trust". Classes that a model was not measured to tell apart are null
    too; under "told" they stand together, as "benign+malignant". "beside" names the film of the other breast that one was read
    together with.

    Exit code 0: all read; 1: some refused, each with its reason; 2: wrong use, such as a box outside an image.
    """
    from core.desk import Classifier, classify_study, parse_box
    from core.settings import Settings

    files = [
        file
        for path in images
        for file in (sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path])
    ]
    if not files:
        wrong_use("There is no file in what was named.")
    if views and not study:
        wrong_use("--views says which films of a study are beside each other: give --study too.")
    if study and roi is not None:
        wrong_use("A region is read by itself: give --roi or --study, not both.")
    said_views = dict(_view_said(text) for text in views or [])
    items = []
    try:
        box = parse_box(roi) if roi is not None else None
        asked = Classifier(Settings(), model)
        read = classify_study(asked, files, said_views) if study else asked.classify(files, box)
        for item in read:
            items.append(item)
            if not as_json:
                results.print(_classified(item), markup=False, highlight=False)
    except (LookupError, ValueError) as error:
        wrong_use(str(error))
    if as_json:
        print_json([item.to_json() for item in items])
    if any(item.refused for item in items):
        raise typer.Exit(SOME_REFUSED)


def _view_said(text: str) -> tuple[str, tuple[str, str]]:
    """Read NAME=SIDE-VIEW; wrong use if it is not that."""
    from core.rules.vocabulary import ViewName

    file, _, said = text.rpartition("=")
    try:
        named = ViewName.of_code(said.upper())
    except ValueError:
        named = None
    if named is None or not file:
        wrong_use(f"--views {text!r} is not NAME=SIDE-VIEW, for example scan1.png=R-MLO.")
    return file, (named.laterality, named.view)


def _classified(item: Classified) -> str:
    if item.refused:
        return f"{item.path}  refused  {item.detail}"
    said = {"finding": item.tumour, "density": item.density, **(item.other or {})}
    words = []
    for one in item.spoke:
        shares, name = said.get(one.task), "tumour" if one.task == "finding" else one.task
        told = ", ".join(
            f"{kind.replace('+', ' or ')} {share:.0%}"
            for kind, share in (shares or {}).items()
            if share is not None
        )
        words.append(f"{name}: {told or f'withheld. {one.trust.sentence}'}")
    together = f"  read together with {item.beside}" if item.beside else ""
    return f"{item.path}  {'; '.join(words)}  [{item.model}]{together}"


def _about(path: Path | None) -> dict[str, Any] | None:
    """Read what a card is to say; ValueError if the file does not hold that."""
    if path is None:
        return None
    known = {"title", "trained_on", "licence", "intended_use", "limits", "simulated_training"}
    try:
        said = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(said, dict) or not set(said) <= known:
        raise ValueError(f"{path} may say {', '.join(sorted(known))}, and nothing else.")
    from models.store import check_card_words

    check_card_words(said, str(path))
    return said


def _tell_refused(refused: list[tuple[str, str]]) -> None:
    for where, why in refused[:20]:
        log.print(f"{where}: {why}", highlight=False, soft_wrap=True, markup=False)
    if len(refused) > 20:
        log.print(f"{len(refused) - 20} more are left out.", highlight=False)


def _tell(measured: dict[str, Any], as_json: bool) -> None:
    from core.evaluation import MEASURES, said_interval

    if as_json:
        print_json(measured)
        return
    results.print(
        f"{measured['n']} images of {measured['women']} women or groups; {', '.join(measured['classes'])}",
        highlight=False,
        markup=False,
    )
    for name, words in MEASURES.items():
        if name in measured:
            results.print(f"{words:>28}  {said_interval(measured, name)}", highlight=False)
    positive = measured.get("by_class", {}).get(measured["positive"], {})
    if len(measured["classes"]) > 2:
        for name, one in measured["by_class"].items():
            results.print(f"{name}, against the rest: ROC-AUC {said_interval(one, 'auc')}", highlight=False)
        for name, one in measured.get("pairs", {}).items():
            words = f"ROC-AUC {said_interval(one, 'auc')}, accuracy {said_interval(one, 'accuracy')}"
            results.print(f"{name}: {words}", highlight=False)
    for level, one in measured.get("by_trust", {}).items():
        words = f", ROC-AUC {said_interval(one, 'auc')}" if "auc" in one else ""
        results.print(f"{level}: {one['n']} images{words}", highlight=False)
    at_90 = "sensitivity_at_90_specificity"
    results.print(f"sensitivity at 90 % specificity: {said_interval(positive, at_90)}", highlight=False)
    for name, one in (measured.get("by_density") or {}).items():
        words = f"{said_interval(one, 'sensitivity')}, {one['n']} images"
        results.print(f"{name}: sensitivity {words}", highlight=False)
