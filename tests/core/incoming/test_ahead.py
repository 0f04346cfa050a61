"""Files are read ahead of their turn; what becomes of them, and in which order, is as if they were not."""

import threading
import time
import tracemalloc

import pytest

from core.images import GuardedReader
from core.incoming import IncomingFile, take_in
from core.outages import outage
from core.refusals import Refusal
from tests import engines
from tests.pictures import breast, dicom


def take(here, files, **more):
    return take_in(here, files, statement=None, source="cli", **({"at_once": 2} | more))


def views(count):
    return [dicom(breast("L", seed=n), PatientID=f"W{n}") for n in range(count)]


def trailing_padding(size):
    """Bytes after a dataset as DICOM has them, an element that is skipped whole."""
    return b"\xfc\xff\xfc\xffOB\0\0" + size.to_bytes(4, "little") + bytes(size)


def test_two_are_read_at_once_and_all_are_answered_in_their_order(here, monkeypatch) -> None:
    at_once, most, lock = 0, 0, threading.Lock()
    prepare = GuardedReader.prepare

    def watched(self, data, name):
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.05)
        try:
            return prepare(self, data, name)
        finally:
            with lock:
                at_once -= 1

    monkeypatch.setattr(GuardedReader, "prepare", watched)
    files = [IncomingFile(f"{n}", data) for n, data in enumerate(views(6))]
    files.insert(2, IncomingFile("bad", b"junk"))
    files.insert(4, IncomingFile("refused", b"", Refusal("too_large", "It is.")))
    report = take(here, files)
    assert [item.path for item in report.items] == [file.name for file in files]
    assert [item.outcome for item in report.items].count("accepted") == 6
    assert most == 2


def test_what_loading_a_file_raises_comes_after_the_files_before_it(here) -> None:
    def files():
        yield IncomingFile("first", views(1)[0])
        raise RuntimeError("the source broke")

    seen = []
    with pytest.raises(RuntimeError, match="source broke"):
        take(here, files(), on_item=seen.append)
    assert [item.outcome for item in seen] == ["accepted"]


def test_a_batch_that_is_repeated_reads_nothing(here, monkeypatch) -> None:
    files = [IncomingFile(f"{n}", data) for n, data in enumerate(views(3))]
    take(here, files)
    monkeypatch.setattr(GuardedReader, "prepare", lambda *_: pytest.fail("it was read again"))
    assert take(here, files).count("duplicate") == 3


def test_few_files_are_in_memory_at_once(here) -> None:
    small = views(2)

    def files():
        for n in range(24):
            yield IncomingFile(f"{n}", small[n % 2] + trailing_padding(4_000_000 + 2 * n))

    tracemalloc.start()
    try:
        report = take(here, files())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert report.count("quarantined") == 0
    assert peak < 60_000_000


@pytest.mark.embedded("is about the folder of images")
def test_a_large_file_that_is_not_kept_leaves_nothing_in_the_image_store(here, monkeypatch) -> None:
    def lying() -> list[str]:
        return [path.name for path in here.images.root.glob("*/*")]

    kept = dicom(breast("L", rows=900, columns=700), PatientID="W1")
    assert len(kept) > 1_000_000
    report = take(here, [IncomingFile("bad", b"junk" * 400_000), IncomingFile("kept", kept)])
    assert [item.outcome for item in report.items] == ["quarantined", "accepted"]
    assert len(lying()) == 3
    assert not any(name.startswith(".") for name in lying())

    def breaks(*_about):
        raise RuntimeError("the rows cannot be written")

    monkeypatch.setattr("core.incoming.intake.keep", breaks)
    others = [dicom(breast("L", seed=n, rows=900, columns=700), PatientID=f"W{n}") for n in (5, 6, 7)]
    with pytest.raises(RuntimeError, match="rows"):
        take(here, [IncomingFile(f"{n}", data) for n, data in enumerate(others)])
    assert not any(name.startswith(".") for name in lying())


def test_where_the_disk_is_full_a_large_file_is_not_acknowledged(here, monkeypatch) -> None:
    engines.let_writes_fail(monkeypatch, lambda store, _data: engines.full(store))
    data = dicom(breast("L", rows=900, columns=700), PatientID="W1")
    report = take(here, [IncomingFile("one", data)])
    assert report.items == []
    assert report.cut_short == outage(engines.full(here.images))
