"""Networks are loaded once for the tests of this folder: what loading costs is not what they are about."""

from collections.abc import Iterator

import pytest

from tests.loaded_once import networks_loaded_once


@pytest.fixture(scope="package", autouse=True)
def loaded_once() -> Iterator[None]:
    with networks_loaded_once():
        yield
