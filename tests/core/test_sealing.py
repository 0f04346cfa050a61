"""Sealed files: opened by their key and by no other, whole or not at all, of any size in little memory."""

import base64
import hashlib
import hmac
import io
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pyrage
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core import sealing
from core.sealing import Key, SealError, key_of_file, kind_of, passphrase_of_file, sealed_into, unsealed

SECRET = pyrage.x25519.Identity.generate()
KEY = Key(recipients=(SECRET.to_public(),), identities=(SECRET,))
PUBLIC = Key(recipients=(SECRET.to_public(),))
OTHER = Key(identities=(pyrage.x25519.Identity.generate(),))
TEXT = b"her record, " * 50_000


def sealed(path: Path, key: Key, data: bytes = TEXT) -> Path:
    with path.open("w+b") as file, sealed_into(file, key) as plain:
        plain.write(data)
    return path


def opened(path: Path, key: Key) -> bytes:
    with path.open("rb") as file, unsealed(file, path.name, key) as found:
        return found.read()


def test_what_is_sealed_to_a_key_is_opened_by_it_and_by_ages_own_means(tmp_path: Path) -> None:
    path = sealed(tmp_path / "a", PUBLIC)
    assert kind_of(path) == "key"
    assert b"record" not in path.read_bytes()
    assert opened(path, KEY) == TEXT
    assert pyrage.decrypt(path.read_bytes(), [SECRET]) == TEXT
    with pytest.raises(SealError, match="was sealed for another"):
        opened(path, OTHER)
    with pytest.raises(SealError, match="secret part"):
        opened(path, PUBLIC)
    with pytest.raises(SealError, match="secret part"):
        opened(path, Key(passphrase="a long pass phrase"))


def locked_at_once(data: bytes, passphrase: str, armored: bool = False) -> bytes:
    """What age makes of a passphrase (https://age-encryption.org/v1), in no time: the library's own takes seconds.

    That it is the same the library says, which opens it.
    """

    def letters(raw: bytes) -> str:
        return base64.b64encode(raw).decode().rstrip("=")

    def derived(salt: bytes, info: bytes) -> bytes:
        return HKDF(hashes.SHA256(), 32, salt, info).derive(file_key)

    file_key, salt, nonce = os.urandom(16), os.urandom(16), os.urandom(16)
    wrapping = hashlib.scrypt(
        passphrase.encode(), salt=b"age-encryption.org/v1/scrypt" + salt, n=1024, r=8, p=1, dklen=32
    )
    wrapped = ChaCha20Poly1305(wrapping).encrypt(bytes(12), file_key, None)
    head = f"age-encryption.org/v1\n-> scrypt {letters(salt)} 10\n{letters(wrapped)}\n---"
    mac = hmac.digest(derived(b"", b"header"), head.encode(), "sha256")
    body = ChaCha20Poly1305(derived(nonce, b"payload")).encrypt(bytes(11) + b"\1", data, None)
    made = f"{head} {letters(mac)}\n".encode() + nonce + body
    assert armored
    text = "\n".join(textwrap.wrap(base64.b64encode(made).decode(), 64))
    return f"-----BEGIN AGE ENCRYPTED FILE-----\n{text}\n-----END AGE ENCRYPTED FILE-----\n".encode()


@pytest.fixture
def cheap_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyrage.passphrase, "encrypt", locked_at_once)


@pytest.mark.usefixtures("cheap_passphrases")
def test_a_passphrase_opens_what_it_sealed_and_another_does_not(tmp_path: Path) -> None:
    path = sealed(tmp_path / "a", Key(passphrase="seven quiet rivers"))
    assert kind_of(path) == "passphrase"
    assert opened(path, Key(passphrase="seven quiet rivers")) == TEXT
    with pytest.raises(SealError, match="This passphrase does not open a"):
        opened(path, Key(passphrase="seven quiet river"))
    with pytest.raises(SealError, match="with a passphrase"):
        opened(path, KEY)
    # As the module says it is opened without Longview.
    locked, _, rest = path.read_bytes().partition(b"-----END AGE ENCRYPTED FILE-----\n")
    inner = pyrage.passphrase.decrypt(locked + b"-----END AGE ENCRYPTED FILE-----\n", "seven quiet rivers")
    assert pyrage.decrypt(rest, [pyrage.x25519.Identity.from_str(inner.decode())]) == TEXT


def test_a_short_passphrase_seals_nothing(tmp_path: Path) -> None:
    with pytest.raises(SealError, match="at least 12"):
        sealed(tmp_path / "a", Key(passphrase="short"))
    assert (tmp_path / "a").read_bytes() == b""


@pytest.mark.parametrize("kept", [0.2, 0.9, 0.99999])
def test_a_sealed_file_that_is_cut_off_is_refused(tmp_path: Path, kept: float) -> None:
    path = sealed(tmp_path / "a", KEY)
    os.truncate(path, int(path.stat().st_size * kept))
    with pytest.raises(SealError, match="damaged"):
        opened(path, KEY)


@pytest.mark.parametrize("at", [300, 70_000, -1])
def test_one_changed_byte_is_found_even_where_nobody_reads_to_the_end(tmp_path: Path, at: int) -> None:
    path = sealed(tmp_path / "a", KEY)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)

    def begin_only() -> None:
        with path.open("rb") as file, unsealed(file, "a", KEY) as found:
            found.read(10)

    with pytest.raises(SealError, match="damaged"):
        begin_only()


def test_it_is_read_forwards_and_a_little_back(tmp_path: Path) -> None:
    path = sealed(tmp_path / "a", KEY, bytes(range(256)) * 1000)
    with path.open("rb") as file, unsealed(file, "a", KEY) as found:
        assert found.read(300)[-1] == 43
        assert found.seek(299) == 299
        assert found.read(2) == bytes([43, 44])
        found.seek(100_000)
        assert found.read(1) == bytes([100_000 % 256])
        with pytest.raises(OSError, match="forwards"):
            found.seek(10)


def test_who_stops_reading_or_writing_leaves_no_thread(tmp_path: Path) -> None:
    path = sealed(tmp_path / "a", KEY, b"x" * 5_000_000)

    def stop_reading() -> None:
        with path.open("rb") as file, unsealed(file, "a", KEY) as found:
            found.read(1)
            raise RuntimeError

    def stop_writing() -> None:
        with sealed_into(io.BytesIO(), KEY) as plain:
            plain.write(b"x" * 3_000_000)
            raise RuntimeError

    for stop in (stop_reading, stop_writing):
        with pytest.raises(RuntimeError):
            stop()
    assert not [one for one in sealing.threading.enumerate() if one.name == "sealing"]


def test_a_disk_that_is_full_is_said_and_not_hung_over() -> None:
    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    def fill() -> None:
        with sealed_into(Full(), KEY) as plain:
            for _ in range(100):
                plain.write(b"x" * 100_000)

    with pytest.raises(OSError) as said:
        fill()
    assert said.value.errno == 28


def test_memory_does_not_grow_with_what_is_sealed(tmp_path: Path) -> None:
    """In a process of its own: here other tests' threads would be measured too."""
    program = """
        import sys, tracemalloc
        import pyrage
        from core.sealing import Key, sealed_into, unsealed
        secret = pyrage.x25519.Identity.generate()
        key = Key(recipients=(secret.to_public(),), identities=(secret,))
        tracemalloc.start()
        with open(sys.argv[1], "w+b") as file, sealed_into(file, key) as plain:
            for _ in range(60):
                plain.write(bytes(1_000_000))
        with open(sys.argv[1], "rb") as file, unsealed(file, "a", key) as found:
            while found.read(100_000):
                pass
        print(tracemalloc.get_traced_memory()[1])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path / "a")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(done.stdout) < 12_000_000


def test_keys_come_from_files_as_age_keygen_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "key.txt"
    path.write_text(f"# created: today\n# public key: {SECRET.to_public()}\n{SECRET}\n")
    assert key_of_file(path).opens
    path.write_text(f"{SECRET.to_public()}\n")
    assert not key_of_file(path).opens
    for said, why in (("a pass phrase\n", "no key of age"), ("# only words\n", "holds no key")):
        path.write_text(said)
        with pytest.raises(SealError, match=why):
            key_of_file(path)
    path.write_text("seven quiet rivers\r\nmore")
    assert passphrase_of_file(path) == "seven quiet rivers"
    with pytest.raises(SealError, match="cannot be read"):
        key_of_file(tmp_path / "none")
