"""Models and their cards, and one image read by them."""

from __future__ import annotations

from typing import Annotated, Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Form, Path, UploadFile
from fastapi import File as FormFile

from core.desk import BoxError, parse_box
from core.exchange import NotHere, image_of
from core.people import Permission, Scope, audit
from core.records import COVERED, cards, findings, is_image_covered
from dashboard.api import shapes
from dashboard.api.described import EVERY
from dashboard.api.images import Uid
from dashboard.api.routing import Call, Caller, Recorded, door
from dashboard.house import desk
from dashboard.web.problems import Problem

MODELS = [door(Scope.READ, Permission.SEE_MODELS)]
CLASSIFY = [door(Scope.CLASSIFY)]

router = APIRouter(prefix="/api/v1", route_class=Recorded, responses=EVERY)

# The desk answers one after another: more threads would only wait.
_asking = CapacityLimiter(4)

Roi = Annotated[
    str | None,
    Form(
        max_length=100,
        pattern=r"^-?[0-9.]+(,-?[0-9.]+){3}$",
        description="A region in pixels, origin top left: x0,y0,x1,y1.",
        examples=["60,250,160,350"],
    ),
]
Named = Annotated[
    str | None,
    Form(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="One model to ask alone."),
]


@router.get("/models", dependencies=MODELS, tags=["models"])
def list_models(call: Caller) -> shapes.Models:
    """List the models that are installed, the one that speaks first."""
    return shapes.Models(items=[shapes.Model.model_validate(one) for one in cards.cards(call.here)])


@router.get("/models/{name}", dependencies=MODELS, tags=["models"])
def get_model(call: Caller, name: Annotated[str, Path(max_length=64)]) -> shapes.ModelCard:
    """Return a model's card: what it learned from, what it is for, how well it did."""
    found = next((one for one in cards.cards(call.here) if one.name == name), None)
    if found is None:
        raise NotHere("There is no model of this name.")
    return shapes.ModelCard.model_validate(found)


@router.post(
    "/classify",
    dependencies=CLASSIFY,
    tags=["classify"],
    response_model=shapes.Classified,
    response_model_exclude_unset=True,
)
async def classify_file(
    call: Caller,
    file: Annotated[
        UploadFile, FormFile(description="A mammogram or breast ultrasound image: DICOM, PNG, JPEG.")
    ],
    roi: Roi = None,
    model: Named = None,
) -> Any:
    """Say what is seen in an image that is not kept: tumour and density, by all models or by one alone.

    Each model speaks only of pictures like those that it learned from. Of others its numbers are null, stand under
    `untrusted` for research, and `trust` says why. Classes that a model was not measured to tell apart are
    null too; in `told` they stand together, as `benign+malignant`.
    """
    data = await file.read()
    return await to_thread.run_sync(
        lambda: _classified(call, data, file.filename or "image", roi, model), limiter=_asking
    )


@router.post(
    "/images/{sop_uid}/classify",
    dependencies=CLASSIFY,
    tags=["classify"],
    response_model=shapes.Classified,
    response_model_exclude_unset=True,
)
def classify_image(call: Caller, sop_uid: Uid, roi: Roi = None, model: Named = None) -> Any:
    """Say what is seen in a stored image; while its study is covered until it is read, nothing is."""
    found = image_of(call.here, call.person, sop_uid)
    call.tells_of(found.patient_id)
    try:
        data = call.here.images.get_kept(found.sha256)
    except FileNotFoundError:
        raise NotHere("The bytes of this image are not in the image store.") from None
    return _classified(call, bytes(data), sop_uid, roi, model, stored=found.sha256)


def _classified(
    call: Call, data: bytes, name: str, roi: str | None, model: str | None, *, stored: str = ""
) -> dict[str, Any]:
    try:
        box = parse_box(roi) if roi else None
    except BoxError as error:
        raise Problem(422, "bad_box", str(error)) from error
    if model is not None and all(one.name != model for one in cards.cards(call.here)):
        raise NotHere("There is no model of this name.")
    sha256 = stored or desk().key_of(data)
    if is_image_covered(call.here, sha256=sha256):
        raise Problem(403, "covered_until_read", COVERED)
    said = dict(desk().classify(call.person, data, name, box, model).answer)
    place = findings.place_of(call.here, sha256)
    subject = f"study:{place.study_uid}" if place else f"image:{sha256[:16]}"
    detail = {"models": said["model"]} | ({"image": place.sop_uid} if place else {})
    audit.note(call.here, call.person, "image_read", subject, detail)
    return said
