"""The handbook: chapters in Markdown beside this file, which the README leads to and the page Help shows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = ["CHAPTERS", "chapter", "chapter_for"]

CHAPTERS: Final[Mapping[str, str]] = {
    "Read a course": "reading",
    "Add studies": "intake",
    "Explore a cohort": "cohort",
    "Run it": "clinic",
    "Commands": "commands",
    "Measured": "measured",
}
"""What a chapter is called, on the page and in its address -> its file."""
_OF_PAGE: Final[Mapping[str, str]] = {
    "add-study": "Add studies",
    "quarantine": "Add studies",
    "cohort": "Explore a cohort",
    "admin": "Run it",
    "account": "Run it",
    "models": "Measured",
}
# What leads to another file of the project leads nowhere in a browser.
_LINK_TO_A_FILE = re.compile(r"\[([^\]]+)\]\((?!https?:)[^)]+\)")


def chapter_for(page: str) -> str:
    """Return which chapter tells of a page, by the end of its address."""
    return _OF_PAGE.get(page, "Read a course")


def chapter(name: str) -> str:
    """Return a chapter's text as a page shows it: without its title, names of files in the place of links to them."""
    text = Path(__file__).with_name(f"{CHAPTERS[name]}.md").read_text("utf-8")
    return _LINK_TO_A_FILE.sub(r"\1", text.partition("\n")[2]).strip()
