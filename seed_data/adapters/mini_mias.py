"""mini-MIAS: 322 MLO films of 161 women, 1024 x 1024, 8 bits, with Info.txt.

Layout and columns as the set's own Info.txt and README describe them: film, tissue (F fatty, G fatty-glandular,
D dense-glandular), class of abnormality (CALC, CIRC, SPIC, MISC, ARCH, ASYM, NORM), severity (B or M), centre in
pixels with the origin at the bottom left, radius. Films come in pairs, two a woman. Of which breast: the set's text
calls even numbers left, the markers on the films say odd ones are; the markers are followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from seed_data.adapters.pictures import Unreadable, facts_of, png_from_pgm
from seed_data.adapters.public_set import Account, Box, ExamRow, PublicSet, WrongLayout
from seed_data.adapters.tables import find

_FILM = re.compile(r"mdb(\d{3})\s+([FGD])\s+(CALC|CIRC|SPIC|MISC|ARCH|ASYM|NORM)\b\s*(.*)", re.IGNORECASE)
_FINDINGS = {"B": "benign", "M": "malignant"}


def read(src: Path, out: Path, account: Account) -> Iterator[ExamRow]:
    """Yield a row for each line of Info.txt; PGM films are written as PNG below `out`."""
    info = find(src, ("Info.txt", "info.txt", "INFO.TXT"))
    if info is None:
        raise WrongLayout(
            f"{src} has no Info.txt. Name the folder with Info.txt and the films mdb001.pgm to mdb322.pgm."
        )
    try:
        lines = info.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        lines = info.read_text("latin-1").splitlines()
    for number, line in enumerate(lines, start=1):
        if not re.match(r"\s*mdb\d", line, re.IGNORECASE):
            continue
        where = f"{info.name}, line {number}"
        match = _FILM.fullmatch(line.strip())
        if match is None:
            account.leave_out(
                where, "the line is not film, tissue, class, severity, place", line.strip()[:60]
            )
            continue
        yield from _row(info.parent, out, where, match, account)


def _row(folder: Path, out: Path, where: str, match: re.Match[str], account: Account) -> Iterator[ExamRow]:
    film, tissue, kind = f"mdb{match[1]}", match[2].upper(), match[3].upper()
    words = match[4].split()
    finding = "normal" if kind == "NORM" else _FINDINGS.get(words[0].upper() if words else "", "")
    if not finding:
        account.leave_out(where, "an abnormality without severity B or M", film)
        return
    try:
        path = _picture(folder, out, film)
        size = facts_of(path)
    except FileNotFoundError:
        account.leave_out(where, "its image file is missing", f"{film}.pgm")
        return
    except Unreadable as error:
        account.leave_out(where, str(error), film)
        return
    number = int(match[1])
    yield ExamRow(
        where=where,
        patient_id=f"mias{(number + 1) // 2:03d}",
        path=path,
        laterality="L" if number % 2 else "R",
        view="MLO",
        finding=finding,
        roi=_box(words[1:], size.rows, kind, account),
        more={"tissue": tissue, "lesion_class": kind},
    )


def _box(words: list[str], rows: int, kind: str, account: Account) -> Box | None:
    """Return the square around the circle that is given, its centre's y counted from the bottom."""
    numbers = [float(word) for word in words[:3] if re.fullmatch(r"\d+(\.\d+)?", word)]
    if kind == "NORM":
        return None
    if len(numbers) < 3 or numbers[2] <= 0:
        account.notes["abnormalities without a place: they have no box"] += 1
        return None
    x, y, radius = numbers
    top = rows - 1 - y
    return x - radius, top - radius, x + radius, top + radius


def _picture(folder: Path, out: Path, film: str) -> Path:
    """Return a film's image: as PNG where the user has it so, else the PGM converted into `out`."""
    for beside in (folder, folder / "all-mias", folder / "images"):
        if (beside / f"{film}.png").is_file():
            return beside / f"{film}.png"
        if (beside / f"{film}.pgm").is_file():
            target = out / "images" / f"{film}.png"
            png_from_pgm(beside / f"{film}.pgm", target)
            return target
    raise FileNotFoundError(film)


SET = PublicSet(
    name="mini-mias",
    title="mini-MIAS (Mammographic Image Analysis Society)",
    source="Suckling et al., The Mammographic Image Analysis Society digital mammogram database, 1994",
    terms="Research only; not to be rented, leased or sold; cite.",
    layout="Info.txt beside the films mdb001.pgm to mdb322.pgm.",
    dates="No dates are given: each woman is one undated study.",
    findings="NORM is normal, severity B benign, M malignant.",
    outcome="",
    more=("tissue", "lesion_class"),
    read=read,
)
