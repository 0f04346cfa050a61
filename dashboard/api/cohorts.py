"""Groups of women: figures that tell of no few of them, by the same rules as the cohort page."""

from __future__ import annotations

from typing import Annotated, Any

import polars as pl
from fastapi import APIRouter, Body
from fastapi.encoders import jsonable_encoder

from core.cohorts import Definition, DefinitionRefused, Selection, cohorts_of, frame_of, select, who
from core.people import Permission, Scope
from dashboard.api import shapes
from dashboard.api.described import EVERY
from dashboard.api.routing import Caller, Recorded, door
from dashboard.cohort.asking import why_withheld_of
from dashboard.web.problems import Problem

COHORT = [door(Scope.COHORT, Permission.SEE_COHORT)]

router = APIRouter(prefix="/api/v1/cohorts", tags=["cohorts"], route_class=Recorded, responses=EVERY)


@router.get("", dependencies=COHORT)
def list_cohorts(call: Caller) -> shapes.SavedCohorts:
    """List one's own named cohorts, and those that others share."""
    return shapes.SavedCohorts(
        items=[
            shapes.SavedCohort(
                key=one.key,
                name=one.name,
                shared=one.shared,
                by=one.by,
                definition=one.definition.to_json() if one.definition else None,
                problem=one.problem,
            )
            for one in cohorts_of(call.here, call.person)
        ]
    )


@router.post("/summary", dependencies=COHORT)
def summarise(
    call: Caller,
    definition: Annotated[
        dict[str, Any],
        Body(
            description="A definition as the cohort page saves it (definition.json).",
            examples=[{"format": "longview-cohort/1", "kind": "simulated", "density": ["C", "D"]}],
        ),
    ],
) -> shapes.CohortSummary:
    """Say who the women of a definition are when they enter: counts rounded to five, nothing of few women."""
    try:
        chosen = select(frame_of(call.here), Definition.from_json(definition))
    except DefinitionRefused as error:
        raise Problem(422, "bad_definition", str(error)) from error
    withheld = why_withheld_of("", call.person, chosen)
    call.beside = {"definition": chosen.definition.to_json(), "told": not withheld}
    return shapes.CohortSummary(
        sentence=chosen.sentence if not withheld else chosen.definition.sentence("some"),
        withheld=withheld or None,
        women=chosen.counted if not withheld else "not told",
        tables={} if withheld else _tables(chosen),
    )


def _tables(chosen: Selection) -> dict[str, shapes.Table]:
    made = {"age": who.ages(chosen), "density": who.densities(chosen), "described": who.described(chosen)}
    return {name: _table(table) for name, table in made.items()}


def _table(table: pl.DataFrame) -> shapes.Table:
    return shapes.Table(columns=table.columns, rows=jsonable_encoder([list(row) for row in table.rows()]))
