"""mini-MIAS as published: Info.txt and PGM films."""

import numpy as np
import pytest

from seed_data.adapters import CannotAdapt
from tests.pictures import breast

INFO = (
    "This file lists the films in the MIAS database and provides",
    "",
    "mdb001 G CIRC B 535 425 97",
    "mdb002 G NORM ",
    "mdb005 F CIRC B 477 133 30",
    "mdb005 F CIRC M 500 168 26",
    "mdb059 F CIRC B",
)


@pytest.fixture
def films(folder):
    for film in ("mdb001", "mdb002", "mdb005", "mdb059"):
        folder.picture(f"{film}.pgm", (breast(rows=1024, columns=1024) >> 4).astype(np.uint8), "PPM")
    return folder


def test_films_are_read_with_woman_side_finding_and_box(films):
    films.table("Info.txt", *INFO)
    told = films.adapt("mini-mias")
    rows = films.rows()
    assert [(r.patient_id, r.laterality, r.view, r.finding) for r in rows] == [
        ("mias001", "L", "MLO", "benign"),
        ("mias001", "R", "MLO", "normal"),
        ("mias003", "L", "MLO", "benign"),
        ("mias003", "L", "MLO", "malignant"),
        ("mias030", "L", "MLO", "benign"),
    ]
    # The centre's y counts from the bottom: 1023 - 133 = 890.
    assert rows[2].roi == (447, 860, 507, 920)
    assert rows[1].roi is None
    assert rows[4].roi is None
    assert all(r.study_date is None for r in rows)
    assert (told.women, told.studies, told.images, told.boxes) == (3, 3, 4, 3)
    assert dict(told.findings) == {"benign": 2, "malignant": 1, "normal": 1}
    assert told.account.left_out == []
    assert {c["tissue"] for c in films.cells()} == {"G", "F"}


def test_pgm_becomes_png_without_loss(films):
    from core.sets.exams import read_pixels

    films.table("Info.txt", *INFO)
    films.adapt("mini-mias")
    pixels = read_pixels(films.rows()[0].path)
    assert np.array_equal(pixels, (breast(rows=1024, columns=1024) >> 4).astype(np.uint16))


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(films):
    films.table("Info.txt", *INFO, bom=True, ends="\r\n")
    assert films.adapt("mini-mias").images == 4


def test_a_missing_film_and_a_broken_line_are_named_and_the_rest_goes_on(films):
    films.table("Info.txt", *INFO, "mdb099 F CIRC B 1 2 3", "mdb100 Q ???")
    told = films.adapt("mini-mias")
    assert told.images == 4
    assert [why for _, why, _ in told.account.left_out] == [
        "its image file is missing",
        "the line is not film, tissue, class, severity, place",
    ]


def test_a_damaged_film_is_left_out(films):
    (films.src / "mdb002.pgm").write_bytes(b"P5\n1024 1024\n255\nshort")
    films.table("Info.txt", *INFO)
    told = films.adapt("mini-mias")
    assert told.images == 3
    assert "cannot be read" in told.account.left_out[0][1]
    assert not list(films.out.rglob(".*"))


def test_another_folder_is_told_what_is_missing(folder):
    with pytest.raises(CannotAdapt, match=r"no Info\.txt"):
        folder.adapt("mini-mias")
    assert list(folder.out.iterdir()) == []
