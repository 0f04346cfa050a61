"""The films of one study read by the models at once, each beside the same view of the other breast: stored ones, and files that are not kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Form, UploadFile
from fastapi import File as FormFile

from core.desk import FilmOfStudy, ViewNotSaid, films_kept, read_together
from core.exchange import NotHere, numbers_of, study_of
from core.incoming import printable_name
from core.people import audit
from core.records import COVERED, cards, findings, is_image_covered
from core.rules.vocabulary import ViewName
from dashboard.api import shapes
from dashboard.api.described import EVERY
from dashboard.api.models import CLASSIFY, Named
from dashboard.api.routing import Call, Caller, Recorded
from dashboard.api.studies import Uid
from dashboard.house import desk
from dashboard.web.problems import Problem

router = APIRouter(prefix="/api/v1", tags=["classify"], route_class=Recorded, responses=EVERY)

MOST_FILMS = 40
# The desk answers one film after another: more threads would only wait.
_asking = CapacityLimiter(2)


@router.post(
    "/studies/{study_uid}/classify",
    dependencies=CLASSIFY,
    response_model=shapes.ClassifiedStudy,
    response_model_exclude_unset=True,
)
async def classify_study(call: Caller, study_uid: Uid, model: Named = None) -> Any:
    """Say what is seen in each image of a stored study, beside the same view of the other breast; nothing is kept.

    `beside` names the image that one was read together with. While the study is covered until it is read, nothing is said.
    """
    return await to_thread.run_sync(_of_kept, call, study_uid, model, limiter=_asking)


@router.post(
    "/classify/study",
    dependencies=CLASSIFY,
    response_model=shapes.ClassifiedStudy,
    response_model_exclude_unset=True,
)
async def classify_films(
    call: Caller,
    files: Annotated[
        list[UploadFile],
        FormFile(description="The films of one study of one woman: DICOM, PNG, JPEG.", max_length=MOST_FILMS),
    ],
    views: Annotated[
        list[str] | None,
        Form(
            description="Side and view of a file that does not say them, in it or by its name (`L-MLO.png`).",
            examples=[["scan1.png=L-MLO", "scan2.png=R-MLO"]],
            max_length=MOST_FILMS,
        ),
    ] = None,
    model: Named = None,
) -> Any:
    """Say what is seen in films of one study that are not kept, each beside the same view of the other breast."""
    said = _said_views(views or [])
    sent = [(printable_name(one.filename or f"file {n}"), await one.read()) for n, one in enumerate(files, 1)]
    return await to_thread.run_sync(_of_sent, call, sent, said, model, limiter=_asking)


def _of_kept(call: Call, study_uid: str, model: str | None) -> dict[str, Any]:
    patient_id, row = study_of(call.here, call.person, study_uid)
    call.tells_of(patient_id)
    images = row["images"]
    if len(images) > MOST_FILMS:
        raise Problem(422, "too_many_films", f"It has {len(images)} images; at most {MOST_FILMS} are read.")
    for one in images:
        _check_told(call, one["sha256"])
    answers = _read(call, films_kept(call.here, call.person, study_uid), model)
    _note(call, f"study:{study_uid}", answers, [patient_id])
    return {
        "study_uid": study_uid,
        "items": [{**said, "sop_uid": said["path"]} for said in answers],
    }


def _of_sent(
    call: Call, sent: Sequence[tuple[str, bytes]], said: Mapping[str, tuple[str, str]], model: str | None
) -> dict[str, Any]:
    unknown = set(said) - {name for name, _ in sent}
    if unknown:
        raise _bad_views(min(unknown), "no file of this name was sent")
    keys = [desk().key_of(data) for _, data in sent]
    for key in keys:
        _check_told(call, key)
    films = [
        FilmOfStudy(name, (lambda data=data: data), said.get(name))  # type: ignore[misc]
        for name, data in sent
    ]
    answers = _read(call, films, model)
    # What is stored as hers is hers in the trail too, whoever sends it.
    hers = [place for key in keys if (place := findings.place_of(call.here, key))]
    women = numbers_of(call.here, call.person, {place.mrn for place in hers})
    subject = f"study:{hers[0].study_uid}" if hers else f"image:{keys[0][:16]}"
    _note(call, subject, answers, women)
    return {"study_uid": None, "items": [{**one, "sop_uid": None} for one in answers]}


def _check_told(call: Call, sha256: str) -> None:
    if is_image_covered(call.here, sha256=sha256):
        raise Problem(403, "covered_until_read", COVERED)


def _read(call: Call, films: Sequence[FilmOfStudy], model: str | None) -> list[dict[str, Any]]:
    if model is not None and all(one.name != model for one in cards.cards(call.here)):
        raise NotHere("There is no model of this name.")
    try:
        return read_together(desk(), call.person, films, model)
    except ViewNotSaid as error:
        raise _bad_views("", str(error)) from error


def _note(call: Call, subject: str, answers: Sequence[Mapping[str, Any]], women: Sequence[int]) -> None:
    models = ", ".join(dict.fromkeys(one["model"] for one in answers if one["model"]))
    detail = {"models": models, "images": len(answers)}
    audit.note(call.here, call.person, "image_read", subject, detail, patients=women)


def _said_views(views: Sequence[str]) -> dict[str, tuple[str, str]]:
    said = {}
    for text in views:
        name, _, code = text.rpartition("=")
        try:
            named = ViewName.of_code(code.upper())
        except ValueError:
            named = None
        if named is None or not name:
            raise _bad_views(text[:60], "is not NAME=SIDE-VIEW, for example scan1.png=R-MLO")
        said[printable_name(name)] = (named.laterality, named.view)
    return said


def _bad_views(which: str, what: str) -> Problem:
    return Problem(
        422, "bad_views", f"{which}: {what}." if which else what, errors=[{"where": "views", "what": what}]
    )
