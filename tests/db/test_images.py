"""The image store: the same promises whether objects lie in a folder or in a bucket."""

import hashlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from db import images
from db.images import BucketStore, FolderStore, ImageStore, StoreUnavailable, open_store
from db.scratch import empty
from tests.grown.servers import BUCKET, access, make_bucket


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The URL of a bucket on loopback; ``LONGVIEW_TEST_S3_URL`` names another, with the usual AWS variables beside it."""
    if named := os.environ.get("LONGVIEW_TEST_S3_URL"):
        yield named
        return
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in access(server.get_host_and_port()[1]).items():
            if name.startswith("AWS_"):
                patch.setenv(name, value)
        make_bucket(server.get_host_and_port()[1])
        yield f"s3://{BUCKET}"
    server.stop()


@pytest.fixture(params=["folder", "memory", "bucket"])
def store(request, tmp_path: Path) -> ImageStore:
    if request.param == "folder":
        return FolderStore(tmp_path / "images")
    if request.param == "memory":
        memory = pytest.importorskip("obstore.store").MemoryStore()
        return BucketStore(memory, "memory")
    return open_store(f"{request.getfixturevalue('bucket')}/test-{uuid.uuid4()}", tmp_path, "images")


def test_what_is_put_comes_back_under_its_sha256(store):
    data = os.urandom(7_000_000)
    key = store.put(data)
    assert key == hashlib.sha256(data).hexdigest()
    assert store.get(key) == data
    assert key in store


def test_an_empty_object_is_an_object(store):
    assert store.get(store.put(b"")) == b""


def test_putting_the_same_again_changes_nothing(store):
    assert store.put(b"view") == store.put(b"view")
    assert list(store.keys()) == [hashlib.sha256(b"view").hexdigest()]


def test_what_is_not_here_is_a_file_not_found(store):
    missing = "0" * 64
    store.put(b"view")
    assert missing not in store
    with pytest.raises(FileNotFoundError):
        store.get(missing)


@pytest.mark.parametrize("how", ["missing", "empty", "a file"])
def test_a_folder_that_is_away_says_nothing_of_one_object(tmp_path, how):
    """A disk that is not mounted leaves its empty mount point: the images are not lost."""
    store = FolderStore(tmp_path / "images")
    key = store.put(b"view")
    store.root.rename(tmp_path / "elsewhere")
    if how == "empty":
        store.root.mkdir()
    if how == "a file":
        store.root.write_bytes(b"")
    with pytest.raises(StoreUnavailable, match=r"images is missing or empty. Mount its disk"):
        store.get(key)


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 63 + "/"])
def test_a_key_that_is_no_hash_reaches_nothing(store, key):
    with pytest.raises(ValueError, match="Not a sha256"):
        store.get(key)
    with pytest.raises(ValueError, match="Not a sha256"):
        _ = key in store


def test_the_keys_are_those_of_all_objects_in_order(store):
    keys = {store.put(f"view {n}".encode()) for n in range(60)}
    assert list(store.keys()) == sorted(keys)


def test_an_empty_store_has_no_keys(store):
    assert list(store.keys()) == []


def test_a_check_leaves_nothing_behind(store):
    store.check()
    assert list(store.keys()) == []


def test_a_folder_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    store = FolderStore(tmp_path / "images")

    def fail(_descriptor: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(images.os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        store.put(b"view")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_two_stores_of_one_bucket_keep_apart(tmp_path, bucket):
    home = f"{bucket}/test-{uuid.uuid4()}"
    taken, refused = (open_store(home, tmp_path, name) for name in ("images", "quarantine"))
    taken.put(b"view")
    refused.put(b"no view")
    assert list(taken.keys()) == [hashlib.sha256(b"view").hexdigest()]
    assert list(refused.keys()) == [hashlib.sha256(b"no view").hexdigest()]


def test_a_bucket_that_does_not_answer_is_said_so(monkeypatch):
    stores = pytest.importorskip("obstore.store")
    nowhere = stores.S3Store(
        "longview",
        endpoint="http://127.0.0.1:1",
        access_key_id="key",
        secret_access_key="hidden",
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
    store = BucketStore(nowhere, "s3://longview/images")
    for use in (
        store.check,
        lambda: store.put(b"view"),
        lambda: store.get("0" * 64),
        lambda: list(store.keys()),
    ):
        with pytest.raises(StoreUnavailable, match="s3://longview/images cannot be used") as caught:
            use()
        assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["gs://bucket", "/mnt/images", "s3://", "s3://key:secret@bucket", "s3://bucket?x=1"]
)
def test_a_store_that_there_cannot_be_is_refused_in_a_sentence(url, tmp_path):
    with pytest.raises(StoreUnavailable, match="s3://bucket/longview") as caught:
        open_store(url, tmp_path, "images")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("store", ["memory", "bucket"], indirect=True)
def test_a_store_that_was_made_for_a_measurement_is_emptied(store):
    for number in range(3):
        store.put(f"view {number}".encode())
    empty(store)
    assert list(store.keys()) == []
