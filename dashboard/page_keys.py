"""What a page offers by keys: links at its top that lead past what stands before its parts, and the keys of its own.

Pictures, images and the table of patients have more keys; each says its own in the same dialog.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ASSESSMENT = "lv-assessment"
"""Where the reader's assessment begins."""

Keys = tuple[tuple[str, str], ...]

EVERYWHERE: Keys = (
    ("?", "these keys, closed by Esc"),
    ("Tab, Shift + Tab", "next, previous place; the first of a page are links to its parts"),
    ("Enter, Space", "open, press, choose"),
    ("Esc", "close what is open"),
    ("Ctrl + Enter", "take over what is written in a text of several lines"),
    ("R", "read the page anew"),
)
OF_PAGE: Mapping[str, Keys] = {
    "patient": (("Alt + ↑, Alt + ↓", "previous, next patient of the list that she was opened from"),),
    "worklist": (("← →", "another group, once the focus is on the groups"),),
}
SKIPS: Mapping[str, Keys] = {
    "patient": (
        ("Skip to assessment", f"#{ASSESSMENT}"),
        ("Skip to pictures", ".st-key-viewer"),
    ),
    "worklist": (("Skip to patients", ".st-key-worklist_table"),),
    "read-image": (("Skip to image", ".st-key-reading"),),
}


def of_page(path: str, title: str) -> dict[str, Any]:
    """Say for a page, by its path, its title, its keys and what they do, and the links at its top."""
    return {
        "title": title,
        "keys": [*OF_PAGE.get(path, ()), *EVERYWHERE],
        "skips": list(SKIPS.get(path, ())),
    }
