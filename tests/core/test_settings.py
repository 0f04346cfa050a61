"""Settings that cannot be met are refused in a sentence, never passed over."""

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from core.__main__ import app
from core.settings import Settings

POSTGRES = "postgresql://longview:secret@127.0.0.1:1/longview"


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("LONGVIEW_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def refused(*arguments: str) -> str:
    """What a command says that is refused as wrong use."""
    return ended(2, *arguments)


def ended(code: int, *arguments: str) -> str:
    """What a command that ends with this exit code says; nothing of it may be a traceback or a password."""
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.output + repr(result.exception)
    assert "Traceback" not in result.output
    assert "secret" not in result.output
    return " ".join(result.output.split())


def test_a_queue_beside_the_database_is_refused_and_why(monkeypatch, tmp_path):
    monkeypatch.setenv("LONGVIEW_QUEUE_URL", "redis://:secret@127.0.0.1/0")
    said = refused("doctor")
    assert "LONGVIEW_QUEUE_URL names no queue of Longview: the studies in the database are the queue" in said
    assert not (tmp_path / "home").exists()


def test_the_database_as_its_own_queue_is_what_it_is():
    assert Settings(database_url=POSTGRES, queue_url=POSTGRES, _env_file=None).url == POSTGRES
    assert Settings(queue_url="", _env_file=None).queue_url == ""
    with pytest.raises(ValidationError, match="LONGVIEW_QUEUE_URL"):
        Settings(queue_url=POSTGRES, _env_file=None)


@pytest.mark.parametrize("url", ["gs://bucket", "s3://key:secret@bucket", "/mnt/images"])
def test_an_image_store_that_there_cannot_be_is_refused(monkeypatch, url):
    monkeypatch.setenv("LONGVIEW_IMAGE_STORE", url)
    said = refused("verify")
    assert "LONGVIEW_IMAGE_STORE cannot be met" in said
    assert "s3://bucket/longview" in said


@pytest.mark.parametrize("verb", ["migrate", "verify", "score"])
def test_a_database_that_cannot_be_reached_is_said_so(monkeypatch, verb):
    monkeypatch.setenv("LONGVIEW_DATABASE_URL", POSTGRES)
    assert "127.0.0.1:1/longview cannot be used" in ended(3, verb)


def test_a_database_of_another_make_is_refused(monkeypatch):
    monkeypatch.setenv("LONGVIEW_DATABASE_URL", "mysql://root:secret@127.0.0.1/longview")
    assert "SQLite or PostgreSQL, not in 'mysql'" in refused("migrate")
