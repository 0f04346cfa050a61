"""Studies: their images, scores, assessments, findings and reports."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from core.exchange import NeverScored, NotHere, ask_for_score, job_of, scores_of, studies_page, study_of
from core.people import Permission, Scope
from core.records import AssessedMeanwhile, Assessment, findings, record_assessment, record_of
from core.reports import Format, ReportError, make
from dashboard.api import shapes
from dashboard.api.days import Day
from dashboard.api.described import EVERY, also, key_parameter, match_parameter
from dashboard.api.etags import check_unchanged, etag_of
from dashboard.api.paging import Paged
from dashboard.api.records import assessment_row, finding_row
from dashboard.api.routing import Call, Caller, Recorded, door
from dashboard.web.problems import Problem

READ = [door(Scope.READ)]
Uid = Annotated[
    str,
    Path(
        min_length=1, max_length=64, pattern=r"^[0-9.]+$", description="A study's UID.", examples=["2.25.1.1"]
    ),
]
Category = Literal["0", "1", "2", "3", "4A", "4B", "4C", "4", "5", "6"]

router = APIRouter(prefix="/api/v1/studies", tags=["studies"], route_class=Recorded, responses=EVERY)


class NewAssessment(BaseModel):
    """A reader's assessment: of each breast (null: not examined), density, and what is recommended."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"right": "1", "left": "2", "density": "B"}]}
    )

    right: Category | None = None
    left: Category | None = None
    density: Literal["A", "B", "C", "D"] | None = None
    management: Annotated[str | None, Field(max_length=32)] = None
    findings: Annotated[str, Field(max_length=10_000)] = ""
    comparison: Annotated[str | None, Field(max_length=64)] = None
    note: Annotated[str, Field(max_length=10_000)] = ""
    reason: Annotated[str, Field(max_length=10_000)] = ""


@router.get("", dependencies=READ)
def list_studies(
    call: Caller,
    paged: Paged,
    status: Annotated[Literal["pending", "scored", "refused"] | None, Query()] = None,
    since: Annotated[Day | None, Query(description="First day.")] = None,
    until: Annotated[Day | None, Query(description="Last day.")] = None,
) -> shapes.Studies:
    """List studies in the order in which they came."""
    page = studies_page(
        call.here,
        call.person,
        after=paged.after,
        limit=paged.limit,
        status=status,
        since=since,
        until=until,
    )
    call.tells_of(*page.patients)
    return shapes.Studies(items=[shapes.Study(**row) for row in page.rows], next=paged.next(page.after))


@router.get("/{study_uid}", dependencies=READ)
def get_study(call: Caller, study_uid: Uid) -> shapes.Study:
    """Return one study with its images."""
    patient_id, row = study_of(call.here, call.person, study_uid)
    call.tells_of(patient_id)
    return shapes.Study(**row)


@router.get("/{study_uid}/score", dependencies=READ, response_model_exclude_unset=True)
def get_score(call: Caller, study_uid: Uid) -> shapes.Score:
    """Return what the model that speaks said of it, and how far that may be believed."""
    patient_id, _ = study_of(call.here, call.person, study_uid)
    call.tells_of(patient_id)
    return shapes.Score(**scores_of(call.here, call.person, patient_id, study_uid=study_uid)[0])


@router.post(
    "/{study_uid}/score",
    dependencies=[door(Scope.WRITE, Permission.ADD_STUDY)],
    status_code=202,
    tags=["jobs"],
    responses=also(409),
    openapi_extra=key_parameter(),
)
def request_score(call: Caller, response: Response, study_uid: Uid) -> shapes.Job:
    """Ask for its score: a job, asked after at Location, that ends when a worker has scored the study or refused it.

    A study that was refused is tried again. One that is scored stays so: other weights score it by themselves.
    """
    patient_id, _ = study_of(call.here, call.person, study_uid)
    call.tells_of(patient_id)
    try:
        key = ask_for_score(call.here, call.person, study_uid)
    except NeverScored as error:
        raise Problem(409, "never_scored", str(error)) from error
    response.headers["Location"] = f"/api/v1/jobs/{key}"
    return shapes.Job(**job_of(call.here, call.person, key))


@router.get("/{study_uid}/findings", dependencies=READ)
def list_findings(call: Caller, study_uid: Uid) -> shapes.Findings:
    """List what readers kept on its images."""
    patient_id, row = study_of(call.here, call.person, study_uid)
    call.tells_of(patient_id)
    hers = findings.of_patient(call.here, row["patient"])
    return shapes.Findings(items=[finding_row(one) for one in hers if one.study_uid == study_uid])


@router.get("/{study_uid}/assessment", dependencies=READ)
def get_assessment(call: Caller, study_uid: Uid) -> shapes.Assessment:
    """Return what a reader recorded of it; its ETag is needed to record the next version."""
    return assessment_row(study_uid, _standing(call, study_uid))


@router.post(
    "/{study_uid}/assessment",
    dependencies=[door(Scope.WRITE, Permission.ASSESS)],
    status_code=201,
    responses=also(409, 412, 428),
    openapi_extra=key_parameter(parameters=[match_parameter("the assessment")]),
)
def add_assessment(
    call: Caller, request: Request, response: Response, study_uid: Uid, said: NewAssessment
) -> shapes.Assessment:
    """Sign the next version of its assessment, after which its score is shown to everybody."""
    standing = _standing(call, study_uid)
    check_unchanged(request, assessment_row(study_uid, standing))
    try:
        signed = record_assessment(
            call.here, call.person, study_uid, **said.model_dump(), instead_of=standing.at
        )
    except AssessedMeanwhile as error:
        raise Problem(412, "changed_meanwhile", str(error)) from error
    except ValueError as error:
        raise Problem(422, "not_recorded", str(error)) from error
    row = assessment_row(study_uid, signed)
    response.headers["ETag"] = etag_of(row)
    return row


def _standing(call: Call, study_uid: str) -> Assessment:
    patient_id, row = study_of(call.here, call.person, study_uid)
    call.tells_of(patient_id)
    record = record_of(call.here, row["patient"])
    visit = record.visit(study_uid) if record else None
    if visit is None:
        raise NotHere("There is no study with this UID.")
    return visit.assessment


@router.get(
    "/{study_uid}/report",
    dependencies=READ,
    response_class=Response,
    responses={
        200: {
            "description": "The report as a file.",
            "content": {
                one.media_type.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}}
                for one in Format
            },
        }
    },
)
def get_report(
    call: Caller,
    request: Request,
    study_uid: Uid,
    format: Annotated[Format, Query()] = Format.FHIR,
    deidentified: Annotated[bool, Query(description="So that it does not tell whose it is.")] = False,
) -> Response:
    """Make a report of it, in the order of BI-RADS; what is withheld or covered is a number in none."""
    _, row = study_of(call.here, call.person, study_uid)
    address = str(request.base_url).rstrip("/")
    try:
        made = make(
            call.here,
            call.person,
            row["patient"],
            study_uid,
            format,
            address=address,
            deidentified=deidentified,
        )
    except ReportError as error:
        raise Problem(404, "no_report", str(error)) from error
    headers = {
        "Content-Disposition": f'attachment; filename="report{format.suffix}"',
        "Cache-Control": "no-store",
        "ETag": f'"{made.sha256[:32]}"',
    }
    return Response(made.data, media_type=format.media_type, headers=headers)
