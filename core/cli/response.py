"""Verbs of the command line: response of measured lesions to treatment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.terminal import log, print_json, results, wrong_use

if TYPE_CHECKING:
    from core.rules import TimepointResponse
    from core.sets import MeasuredVisit


def register(app: typer.Typer) -> None:
    """Add this module's verbs."""
    app.command("response")(response)


def response(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV with patient_id, months or study_date, lesion, diameter_mm, and if you like node (1 or 0) and organ."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")] = False,
) -> None:
    """Say the response to treatment at every visit by RECIST 1.1, from measured diameters.

    Longest diameters, of nodes the short axis, in mm. An empty cell was not measured; 0 is gone; "too small to measure"
    counts as 5 mm. Two target lesions an organ and five in all are followed from each woman's first visit: 10 mm or
    more, nodes 15 mm or more. On mammograms the criteria were never agreed on: call the answer RECIST-like there.

    Exit code 0: done; 2: the table cannot be used, and each line that is wrong is named.
    """
    from core.rules import responses
    from core.sets import DiameterTableError, read_diameters

    try:
        table = read_diameters(file)
    except DiameterTableError as error:
        wrong_use(str(error))
    for notice in table.notices:
        log.print(notice, highlight=False, markup=False, soft_wrap=True)
    said = [
        (patient, visit, judged)
        for patient, visits in table.women.items()
        for visit, judged in zip(visits, responses([one.lesions for one in visits]), strict=True)
    ]
    if as_json:
        print_json([_entry(*one) for one in said])
        return
    width = max(len("patient"), *(len(patient) for patient, _, _ in said))
    results.print(
        f"{'patient':<{width}}  {'when':>10}  {'sum mm':>7}  {'nadir mm':>8}  response", highlight=False
    )
    for patient, visit, judged in said:
        when = str(visit.on) if visit.on else f"{visit.months:g} mo"
        line = f"{patient:<{width}}  {when:>10}  {_mm(judged.sum_mm):>7}  {_mm(judged.nadir_mm):>8}  {judged.response.value}"
        results.print("  ".join([line, *_beside(judged)]), markup=False, highlight=False, soft_wrap=True)


def _entry(patient: str, visit: MeasuredVisit, judged: TimepointResponse) -> dict[str, Any]:
    return {
        "patient": patient,
        "months": visit.months,
        "study_date": visit.on.isoformat() if visit.on else None,
        "sum_mm": _rounded(judged.sum_mm),
        "nadir_mm": _rounded(judged.nadir_mm),
        "response": judged.response.value,
        "measured_mm": _rounded(judged.measured_mm),
        "new": list(judged.new),
        "unmeasured": list(judged.unmeasured),
        "remarks": list(judged.remarks),
    }


def _rounded(length_mm: float | None) -> float | None:
    return None if length_mm is None else round(length_mm, 3)


def _mm(length_mm: float | None) -> str:
    return (
        "–"
        if length_mm is None
        else f"{length_mm:g}"
        if length_mm < 1
        else f"{length_mm:.1f}".removesuffix(".0")
    )


def _beside(judged: TimepointResponse) -> list[str]:
    """Return what stands beside a response: what was not measured, and what a person has to judge."""
    missing = [f"not measured: {', '.join(judged.unmeasured)}"] if judged.unmeasured else []
    return missing + list(judged.remarks)
