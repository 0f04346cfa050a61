"""``python -m tests.locked FULL LESS...``: what of a lock file is in none of the others, for `make lock`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

_PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)(?: ; (?P<marker>[^\\]+?))? \\$")


def pins(text: str) -> dict[str, list[str]]:
    """Return the lines of each pin with its hashes, by its first line.

    >>> pins("six==1.17.0 \\\\\\n    --hash=sha256:ff7f")
    {'six==1.17.0 \\\\': ['six==1.17.0 \\\\', '    --hash=sha256:ff7f']}
    """
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith(("-r ", "#")) or not line.strip():
            continue
        if not line[0].isspace():
            lines = found[line] = []
        lines.append(line)
    return found


def versions(path: Path) -> set[tuple[str, str]]:
    """Return name, in lower case, and version of each package that a lock file and those that it leads to pin.

    A package may have several: one for older releases of Python.

    Raises `ValueError` for a line that pins nothing, or has no hash.
    """
    text = path.read_text(encoding="utf-8")
    found: set[tuple[str, str]] = set()
    for line in text.splitlines():
        if line.startswith("-r "):
            found |= versions(path.parent / line[3:].strip())
    for first, lines in pins(text).items():
        pin = _PIN.match(first)
        if pin is None or not all(
            re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?", line) for line in lines[1:]
        ):
            raise ValueError(f"{path.name}: {first!r} is not pinned with hashes. Run: make lock")
        found.add((re.sub(r"[-_.]+", "-", pin["name"]).lower(), pin["version"]))
    return found


def main() -> None:
    """Print the lines."""
    full, *less = (pins(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:])
    for first, lines in full.items():
        if all(other.get(first) != lines for other in less):
            print("\n".join(lines))


if __name__ == "__main__":
    main()
