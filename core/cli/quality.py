"""The verb that says how well pictures were taken: quality."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.terminal import SOME_REFUSED, log, print_json, results, wrong_use

if TYPE_CHECKING:
    from core.images import GuardedReader
    from core.incoming import IncomingFile
    from core.rules import Remark, Taken
    from core.sets import ManifestRow


def register(app: typer.Typer) -> None:
    """Add this module's verb."""
    app.command("quality")(tell_quality)


@dataclass(frozen=True)
class _Judged:
    """One file: how it was taken and of whom, or why it cannot be said."""

    path: str
    whose: tuple[str, str]
    taken: Taken | None
    refused: str | None = None


def tell_quality(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files, folders and ZIP archives.", metavar="[PATH...]")
    ] = None,
    stored: Annotated[
        bool,
        typer.Option(
            "--stored", help="Measure the stored images of which an earlier release measured nothing."
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")] = False,
) -> None:
    """Say how well mammograms were taken: cut off, muscle short, blurred, moved, noisy, burnt out, the same picture twice.

    Nothing is stored. Side and view come from the files, a manifest.csv beside them or names such as L-MLO.png; pictures of
    one patient and day are compared with each other. Each remark names its criterion, what was measured and the limit.

    Exit code 0: done, whatever the quality; 1: some files are no mammograms that can be read; 2: wrong use.
    """
    if stored:
        if paths:
            wrong_use("--stored measures what this installation keeps: leave the paths out.")
        _measure_stored(json)
        return
    if not paths:
        wrong_use("Say which files, or --stored.")
    judged = list(_looked_at(paths))
    remarks = _remarks(judged)
    if json:
        print_json([_to_json(one, remarks.get(one.path, [])) for one in judged])
    else:
        for one in judged:
            view = (
                "-".join(part for part in (one.taken.laterality, one.taken.view) if part) if one.taken else ""
            )
            said = "  ".join(remark.text for remark in remarks.get(one.path, [])) or "no remarks"
            line = f"{one.path}  {view}  {one.refused or said}"
            results.print(line, markup=False, highlight=False)
        flagged = sum(bool(remarks.get(one.path)) for one in judged)
        log.print(f"{len(judged)} files, {flagged} with remarks.", highlight=False)
    if any(one.refused for one in judged):
        raise typer.Exit(SOME_REFUSED)


def _looked_at(paths: list[Path]) -> Iterator[_Judged]:
    from core.images import lend_reader
    from core.incoming import gather, printable_name
    from core.settings import Settings

    settings = Settings()
    with lend_reader(settings) as reader:
        for path in paths:
            rows = {str(row.path): row for row in _rows(path)}
            try:
                found = gather(
                    [row.path for row in rows.values()] or [path],
                    max_file_mb=settings.max_file_mb,
                    use_manifests=False,
                )
            except FileNotFoundError as error:
                wrong_use(printable_name(str(error)))
            for file in found:
                yield _look(reader, file, rows.get(file.name))


def _rows(path: Path) -> list[ManifestRow]:
    """Return the rows of a folder's manifest; none where it has none that can be read."""
    from core.sets import ManifestError, read_manifest

    if not (path / "manifest.csv").is_file():
        return []
    try:
        return list(read_manifest(path / "manifest.csv").rows)
    except ManifestError as error:
        log.print(f"{error} The files are taken as they are.", highlight=False, markup=False)
        return []


def _look(reader: GuardedReader, file: IncomingFile, row: ManifestRow | None) -> _Judged:
    from core.incoming import named_view, printable_name
    from core.refusals import Refusal
    from core.rules import Taken

    path = printable_name(file.name)
    try:
        if file.refusal is not None:
            raise file.refusal
        image = reader.prepare(file.data, file.name).image
        if image.doubt is not None:
            raise Refusal("not_a_mammogram", image.doubt)
    except Refusal as refusal:
        return _Judged(path, ("", ""), None, refusal.text)
    header, name = image.header, PurePosixPath(path).name
    if row is not None:
        said = row.laterality, row.view
        whose = (row.patient_id, str(row.study_date))
    else:
        said = (
            (header.laterality, header.view)
            if header.laterality or header.view
            else named_view(name) or (None, None)
        )
        whose = (header.patient_id or "", str(header.study_date))
    return _Judged(
        path, whose, Taken(*said, image.quality_flags, image.measured, image.pixel_spacing_mm, name)
    )


def _remarks(judged: list[_Judged]) -> dict[str, list[Remark]]:
    """Return the remarks on each file, compared with the others of her study where the files say whose they are."""
    from core.rules import remarks_on_study

    studies: dict[tuple[str, str], list[_Judged]] = {}
    for number, one in enumerate(judged):
        if one.taken is not None:
            key = one.whose if one.whose[0] else ("", str(number))
            studies.setdefault(key, []).append(one)
    return {
        one.path: remarks
        for study in studies.values()
        for one, remarks in zip(
            study, remarks_on_study([each.taken for each in study if each.taken]), strict=True
        )
    }


def _to_json(one: _Judged, remarks: list[Remark]) -> dict[str, Any]:
    taken = one.taken
    measured = {} if taken is None else {k: v for k, v in taken.measured.items() if k != "look"}
    return {
        "path": one.path,
        "refused": one.refused,
        "laterality": taken.laterality if taken else None,
        "view": taken.view if taken else None,
        "flags": [remark.flag.value for remark in remarks],
        "remarks": [
            {
                "flag": remark.flag.value,
                "sentence": remark.sentence,
                "advice": remark.advice,
                "criterion": remark.source,
                "measure": remark.measure,
                "value": remark.value,
                "limit": remark.limit,
            }
            for remark in remarks
        ],
        "measured": measured,
    }


def _measure_stored(json: bool) -> None:
    """Measure what was stored before there were measures, and say how many images got a remark."""
    from core.cli.opening import open_installation
    from core.incoming import measure_stored

    here = open_installation()
    try:
        counts = measure_stored(here)
    finally:
        here.close()
    if json:
        print_json(counts)
    else:
        results.print(
            f"{counts['measured']} images measured, {counts['flagged']} of them with remarks; "
            f"{counts['unreadable']} could not be read.",
            highlight=False,
        )
