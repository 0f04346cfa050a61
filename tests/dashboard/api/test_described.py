"""The description of the API holds for every call: schemathesis asks each as it says, and as it does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.schemas import BaseSchema

from core.desk import FilmOfStudy, Said
from core.people import Role
from dashboard import house
from dashboard.api import door, models, together
from tests.dashboard.api.conftest import Api

EXAMPLES = 2
CALLS = [
    (method.upper(), path) for path, methods in door.description()["paths"].items() for method in methods
]
MORE_THAN_SHAPES = {
    "cursor": "a cursor is one of this query",
    "/classify": "a file is an image",
    "/imports": "whose and when are said together",
    "/cohorts/summary": "a definition names what there is",
    "/assessment": "a study is assessed whole",
    "/events": "a kind has its own fields",
    "/corrections": "what is put right is there, and was looked at",
    "/lesions": "what is measured lies in the image, and is changed as it was seen",
    "/measurements": "what is measured lies in the image, and is changed as it was seen",
    "/findings": "a box lies in the image",
    "/studies/{study}": "the file is kept as DICOM",
}
"""What a call needs beyond what its shapes can say: then a refusal in words is right."""


class Sees:
    """A desk that says the same of every image: the networks are other tests' affair."""

    @staticmethod
    def key_of(_data: bytes) -> str:
        return "0" * 64

    def classify(self, *_asked: object) -> Said:
        shares = {"normal": 0.9, "benign": 0.07, "malignant": 0.03}
        trust = {"level": "trusted", "reason": None, "distance": 1.0, "limit": 2.0}
        return Said(
            {
                "path": "image", "refused": None, "detail": None, "tumour": shares, "density": None,
                "trust": trust, "density_trust": None, "roi": None, "model": "made", "modality": "MG", "spoke": [],
            }
        )  # fmt: skip

    @classmethod
    def together(
        cls, _desk: object, _person: object, films: Sequence[FilmOfStudy], _model: object
    ) -> list[Any]:
        return [{**cls().classify().answer, "path": one.name} for one in films]


@pytest.fixture(scope="module")
def described(api: Api) -> Iterator[BaseSchema]:
    """The description as it is served, asked through the gate with a token that may do everything."""
    # Many calls in a second are what is meant here.
    house.here().settings.api_calls_a_minute = 1_000_000
    allowed = {"Authorization": f"Bearer {api.token(Role.ONCOLOGIST)}"}
    loaded = schemathesis.openapi.from_asgi("/api/v1/openapi.json", api.app, headers=allowed)
    # The first file waits for the process that decodes it, on a busy machine for more than the ten seconds that are usual.
    loaded.config.update(headers=allowed, request_timeout=120)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "desk", Sees)
        patch.setattr(together, "desk", Sees)
        patch.setattr(together, "read_together", Sees.together)
        yield loaded


@pytest.mark.parametrize(("method", "path"), CALLS, ids=[f"{method} {path}" for method, path in CALLS])
def test_every_call_answers_as_it_is_described(described: BaseSchema, method: str, path: str) -> None:
    operation = described[path][method]
    _ask(operation.as_strategy(generation_mode=GenerationMode.POSITIVE), f"{path} {operation.definition.raw}")
    try:
        _ask(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE), path)
    except Unsatisfiable:
        assert not operation.definition.raw.get("parameters")
        assert not operation.definition.raw.get("requestBody")


def _ask(cases: object, about: str) -> None:
    # Who has no token, or one that opens nothing, is asked for every call in `test_who_may`.
    left_out = [CHECKS.get_one("ignored_auth")]
    if any(sign in about for sign in MORE_THAN_SHAPES):
        left_out.append(CHECKS.get_one("positive_data_acceptance"))

    @given(case=cases)
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    def asked(case: Case) -> None:
        answer = case.call_and_validate(excluded_checks=left_out)
        assert answer.status_code < 500

    asked()
