"""Words in what is handed out."""

import re


def has_word(text: str, word: str) -> bool:
    """Whether a word stands in a text by itself: the letters and digits of a drawn pseudonym or UID may hold any MRN."""
    return re.search(rf"(?<![0-9A-Za-z]){re.escape(word)}(?![0-9A-Za-z])", text) is not None
