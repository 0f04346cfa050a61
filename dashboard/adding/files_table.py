"""The files of one study as a table: picture, side, view, quality and what will become of each, problems first."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from core.incoming import Examined, StoredAs, named_view
from core.records import Found
from core.rules.vocabulary import SIDE_WORDS
from dashboard import look, picture_quality

# What a person can say when the file does not; all other refusals are final.
ASKED = frozenset({"no_identity", "no_study_date", "unknown_laterality", "unknown_view"})


def identifiers(found: Found) -> str:
    """Return a woman's identifiers large, so that a mistake is seen."""
    born = look.iso(found.birth_date) if found.birth_date else "unknown"
    last = f"last study {found.last_study}" if found.last_study else "no studies yet"
    return (
        f'<div class="lv-who"><span class="lv-big">{look.safe(found.name or "no name")}{look.badge(found.simulated)}</span>'
        f'<span class="lv-big">MRN {look.safe(found.mrn)}</span><span class="lv-big">born {born}</span>'
        f'<span class="lv-muted">{last}</span></div>'
    )


def is_usable(item: Examined) -> bool:
    """Say whether a file can be added, perhaps after an answer."""
    return item.duplicate_of is None and (item.refusal is None or item.refusal.reason in ASKED)


def proposed(item: Examined) -> tuple[str, str] | None:
    """Return side and view that only the file's name says; a person has to confirm them."""
    if item.laterality is not None or item.view is not None:
        return None
    return named_view(item.name)


def picture(item: Examined, *, cls: str = "") -> str:
    """Return a file's thumbnail as HTML."""
    if not item.thumbnail_png:
        return ""
    data = base64.b64encode(item.thumbnail_png).decode()
    return f'<img class="{cls}" src="data:image/png;base64,{data}" alt="{look.safe(item.name)}">'


def place(stored: StoredAs) -> str:
    """Say where an image is stored."""
    return f"{stored.mrn}, {stored.study_date}, {stored.laterality}-{stored.view}"


def verdict(item: Examined, found: Found) -> tuple[str, str]:
    """Say in words what will become of a file: (words, how they look)."""
    if item.duplicate_of is not None:
        if item.duplicate_of.mrn == found.mrn:
            return f"already here ({place(item.duplicate_of)}): nothing to do", ""
        return f"stored for another patient ({place(item.duplicate_of)}): check whose it is", "bad"
    if item.refusal is not None and item.refusal.reason not in ASKED:
        return item.refusal.text, "bad"
    if item.looks_like is not None:
        return "looks like ultrasound: say in the next step that it is, and of which breast", "ask"
    if proposed(item):
        return "side and view are proposed from its name: check them in the next step", "ask"
    if item.laterality is None or item.view is None:
        return "side or view is asked in the next step", "ask"
    return "can be added", "good"


def table_of(examined: Sequence[Examined], found: Found) -> str:
    """Return the files as a table, problems first."""
    ranks = {"bad": 0, "ask": 1, "": 2, "good": 3}
    rows = ""
    for item in sorted(examined, key=lambda item: ranks[verdict(item, found)[1]]):
        words, cls = verdict(item, found)
        size = f"{item.columns} × {item.rows}" if item.rows and item.columns else ""
        quality = picture_quality.cell(item, usable=is_usable(item))
        rows += (
            f'<tr><td class="pic">{picture(item)}</td><td>{look.safe(item.name)}<br><span class="lv-muted">{size}</span></td>'
            f"<td>{SIDE_WORDS.get(item.laterality or '', look.UNKNOWN)}</td><td>{look.safe(item.view or look.UNKNOWN)}</td>"
            f'<td>{quality}</td><td class="{cls}">{look.safe(words)}</td></tr>'
        )
    return (
        '<table class="lv-table lv-files"><tr><th>picture</th><th>file</th><th>side</th><th>view</th><th>quality</th>'
        f"<th>verdict</th></tr>{rows}</table>"
    )
