"""Files taken in: each answered as the command line's import answers it, now or as a job that is asked after."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path as Folder
from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Form, Header, Path, Response, UploadFile
from fastapi import File as FormFile

from core.exchange import begin_job, job_of
from core.files import private_folder
from core.incoming import Statement, check_statement, gather_one, named_view, printable_name, take_in
from core.installation import Installation
from core.people import OwnAdminNeeded, Permission, Person, Scope
from dashboard.api import shapes
from dashboard.api.days import Day
from dashboard.api.described import EVERY, also, key_parameter
from dashboard.api.routing import Call, Caller, Recorded, door
from dashboard.web.problems import Problem

router = APIRouter(prefix="/api/v1", tags=["imports"], route_class=Recorded, responses=EVERY)

_taking = CapacityLimiter(2)
_BYTES = 1 << 20
_VIEW = re.compile(r"([^=]+)=([LR])-([A-Z]{2,5})")


@dataclass
class Said:
    """What a form says of all its files: whose and when (both or neither), and what else is known of her."""

    patient: Annotated[
        str | None, Form(max_length=64, description="MRN: then all files are hers, of one study.")
    ] = None
    study_date: Annotated[Day | None, Form(description="The day of that study.")] = None
    name: Annotated[str | None, Form(max_length=256)] = None
    birth_date: Annotated[Day | None, Form()] = None
    simulated: Annotated[bool, Form(description="She is simulated.")] = False

    def statement(self) -> Statement | None:
        """Return it as the intake takes it; raises `Problem`."""
        if (self.patient is None) != (self.study_date is None):
            raise Problem(422, "bad_statement", "Say patient and study_date together, or neither.")
        if self.patient is None or self.study_date is None:
            return None
        statement = Statement(
            mrn=self.patient.strip(),
            study_date=self.study_date,
            name=self.name,
            birth_date=self.birth_date,
            simulated=self.simulated,
        )
        try:
            check_statement(statement)
        except ValueError as error:
            raise Problem(422, "bad_statement", str(error)) from error
        return statement


@router.post(
    "/imports",
    dependencies=[door(Scope.WRITE, Permission.ADD_STUDY)],
    responses={
        202: {"model": shapes.Job, "description": "Begun: ask after it at Location."},
        **also(409),
    },
    openapi_extra=key_parameter(),
    response_model=shapes.Import,
)
async def import_files(
    call: Caller,
    response: Response,
    files: Annotated[list[UploadFile], FormFile(description="DICOM, PNG, JPEG, ZIP.", max_length=1000)],
    patient: Annotated[
        str | None, Form(max_length=64, description="MRN: then all files are hers, of one study.")
    ] = None,
    study_date: Annotated[Day | None, Form(description="The day of that study.")] = None,
    name: Annotated[str | None, Form(max_length=256)] = None,
    birth_date: Annotated[Day | None, Form()] = None,
    simulated: Annotated[bool, Form(description="She is simulated.")] = False,
    prefer: Annotated[
        str | None, Header(max_length=200, description="respond-async: answer at once, as a job.")
    ] = None,
) -> Any:
    """Take files in; each ends accepted, duplicate or quarantined with a reason, and can be sent again without harm.

    What is answered is durable. Studies wait to be scored then.
    """
    statement = Said(patient, study_date, name, birth_date, simulated).statement()
    folder = await to_thread.run_sync(_folder, call.here)
    try:
        arrived = [await _spooled(folder, number, one) for number, one in enumerate(files)]
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if "respond-async" in (prefer or ""):
        return await _later(call, response, folder, arrived, statement)
    try:
        return await to_thread.run_sync(
            lambda: _taken(call.here, call.person, arrived, statement, call.access.label), limiter=_taking
        )
    except OwnAdminNeeded as error:
        raise Problem(
            409, "own_admin_needed", f"{error} Make one: python -m core user add NAME --role admin"
        ) from error
    finally:
        await to_thread.run_sync(lambda: shutil.rmtree(folder, ignore_errors=True))


async def _later(
    call: Call,
    response: Response,
    folder: Folder,
    arrived: Sequence[tuple[Folder, str]],
    statement: Statement | None,
) -> Response:
    def work() -> dict[str, Any]:
        return _taken(call.here, call.person, arrived, statement, call.access.label)

    def at_end() -> None:
        shutil.rmtree(folder, ignore_errors=True)

    try:
        key = await to_thread.run_sync(
            lambda: begin_job(call.here, call.person, "import", work, at_end=at_end)
        )
    except Exception:
        at_end()
        raise
    job = shapes.Job(**await to_thread.run_sync(job_of, call.here, call.person, key))
    headers = {"Location": f"/api/v1/jobs/{key}", "Preference-Applied": "respond-async"}
    return Response(job.model_dump_json(), 202, headers=headers, media_type="application/json")


@router.get("/jobs/{key}", dependencies=[door(Scope.READ, None)], tags=["jobs"])
def get_job(call: Caller, key: Annotated[str, Path(max_length=32)]) -> shapes.Job:
    """Say how long work of one's own stands, and what came of it."""
    return shapes.Job(**job_of(call.here, call.person, key))


def _folder(here: Installation) -> Folder:
    folder = here.home / "arrivals" / f".api-{secrets.token_hex(8)}"
    private_folder(folder)
    return folder


async def _spooled(folder: Folder, number: int, upload: UploadFile) -> tuple[Folder, str]:
    path = folder / str(number)

    def begin() -> None:
        path.touch(mode=0o600)

    await to_thread.run_sync(begin)
    while data := await upload.read(_BYTES):
        await to_thread.run_sync(_append, path, data)
    return path, printable_name(upload.filename or f"file {number + 1}")


def _append(path: Folder, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def _taken(
    here: Installation,
    person: Person,
    arrived: Sequence[tuple[Folder, str]],
    statement: Statement | None,
    label: str,
) -> dict[str, Any]:
    def coming() -> Any:
        for path, name in arrived:
            for file in gather_one(path, name, max_file_mb=here.settings.max_file_mb):
                if statement is None:
                    yield file
                    continue
                named = named_view(file.name)
                views = {file.name: named} if named else {}
                yield replace(file, said=replace(statement, views=views))

    report = take_in(
        here,
        coming(),
        statement=statement,
        source="api",
        person=person,
        sender=f"{person.username}: {label}",
    )
    return report.to_json()
