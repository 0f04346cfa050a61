"""The handbook and the README say what is there: every link leads somewhere, every command and setting exists."""

import re
from pathlib import Path

import pytest
import typer

from core.__main__ import app
from core.people import Role
from core.settings import Settings
from dashboard.handbook import CHAPTERS, chapter, chapter_for
from dashboard.pages import PAGES

PROJECT = Path(__file__).resolve().parents[2]
BOOKS = [
    PROJECT / "README.md",
    PROJECT / "SECURITY.md",
    *sorted((PROJECT / "dashboard" / "handbook").glob("*.md")),
]
ELSEWHERE = {"LONGVIEW_LOG_LEVEL", "LONGVIEW_URL", "LONGVIEW_TOKEN"}
"""Read where logs begin, and by the client that the README shows."""
books = pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.stem)


@books
def test_every_link_to_a_file_leads_to_one(book: Path) -> None:
    for target in re.findall(r'\]\((?!https?:)([^)#]+)\)|src="([^"]+)"', book.read_text("utf-8")):
        assert (book.parent / (target[0] or target[1])).exists(), target


@books
def test_every_command_it_names_is_one(book: Path) -> None:
    command = typer.main.get_command(app)
    verbs = command.commands  # type: ignore[attr-defined]
    named = re.findall(r"(?:`|-m )core ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?", book.read_text("utf-8"))
    for verb, under in named:
        assert verb in verbs, verb
        below = getattr(verbs[verb], "commands", {})
        assert not below or not under or under in below, f"{verb} {under}"


@books
def test_every_setting_it_names_is_one(book: Path) -> None:
    known = {f"LONGVIEW_{name}".upper() for name in Settings.model_fields}
    for name in re.findall(r"\bLONGVIEW_[A-Z_]*[A-Z]", book.read_text("utf-8")):
        assert name in known | ELSEWHERE, name


def test_every_file_is_a_chapter_and_every_page_has_one() -> None:
    files = {path.stem for path in (PROJECT / "dashboard" / "handbook").glob("*.md")}
    assert set(CHAPTERS.values()) == files
    for page in PAGES:
        assert chapter_for(page.address) in CHAPTERS


def test_a_page_shows_a_chapter_without_links_that_lead_nowhere(pages) -> None:
    for name in CHAPTERS:
        assert "](" not in re.sub(r"\]\(https?:", "", chapter(name)), name
    shown = pages(Role.ANALYST, "help", chapter="Commands")
    assert not shown.exception
    assert "core train image" in shown.markdown[-1].value
