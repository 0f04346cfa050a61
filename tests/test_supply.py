"""What Longview is made of: pinned by hash, not below versions that are known to be weak, and listed for others."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.version import Version

from db.database import WAL_SAFE_SQLITE
from tests.locked import pins, versions

PROJECT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements.txt", "requirements-grown.txt", "requirements-dev.txt")
TABLE = tomllib.loads((PROJECT / "tests" / "minimum_versions.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_pinned_with_the_hashes_of_its_files(name: str) -> None:
    assert len(versions(PROJECT / name)) > 100


def test_a_line_without_a_hash_or_a_version_is_refused(tmp_path: Path) -> None:
    for line in (
        "six",
        "six==1.17.0",
        "six==1.17.0 \\\n    --hash=md5:00",
        "six>=1 \\\n    --hash=sha256:" + 64 * "0",
    ):
        (tmp_path / "requirements.txt").write_text(line + "\n")
        with pytest.raises(ValueError, match="is not pinned with hashes"):
            versions(tmp_path / "requirements.txt")


def test_what_is_in_a_smaller_lock_is_left_out_of_the_larger_with_its_hashes() -> None:
    larger = "a==1 \\\n    --hash=sha256:1\nb==2 \\\n    --hash=sha256:2 \\\n    --hash=sha256:3\n"
    assert list(pins(larger)) == ["a==1 \\", "b==2 \\"]
    assert pins(larger)["b==2 \\"][1:] == ["    --hash=sha256:2 \\", "    --hash=sha256:3"]


def test_no_package_lies_below_the_version_in_which_a_known_weakness_is_mended() -> None:
    locked = versions(PROJECT / "requirements-dev.txt")
    weak = []
    for package in TABLE["package"]:
        found = [version for name, version in locked if name == package["name"]]
        for one in (*found, installed(package["name"])):
            if one is not None and Version(one) < Version(package["minimum"]):
                weak.append(f"{package['name']} {one}: {package['advisory']}, needs {package['minimum']}")
    assert weak == []


def test_the_table_is_of_packages_that_are_used_in_order_and_once() -> None:
    names = [package["name"] for package in TABLE["package"]]
    assert names == sorted(set(names))
    assert set(names) <= {name for name, _ in versions(PROJECT / "requirements.txt")}
    assert all(package["advisory"].startswith("CVE-") and package["what"] for package in TABLE["package"])


def test_what_is_never_to_be_installed_is_not() -> None:
    locked = {name for name, _ in versions(PROJECT / "requirements-dev.txt")}
    for package in TABLE["never"]:
        assert package["name"] not in locked
        assert installed(package["name"]) is None


def test_the_sqlite_that_is_installed_is_safe_in_wal_mode_or_not_used_so(here) -> None:
    from db.database import sqlite_module

    safe = sqlite_module().sqlite_version_info >= WAL_SAFE_SQLITE
    assert here.database.journal_mode == ("WAL" if safe else "DELETE")


@pytest.mark.skipif(find_spec("cyclonedx_py") is None, reason="cyclonedx-bom is not installed")
def test_the_bill_of_materials_lists_what_runs(tmp_path: Path) -> None:
    """As `make sbom` does."""
    written = tmp_path / "longview.cdx.json"
    subprocess.run(
        [
            *(sys.executable, "-m", "cyclonedx_py", "requirements", "requirements-grown.txt"),
            *("--pyproject", "pyproject.toml", "--output-format", "JSON", "--output-file", str(written)),
        ],
        cwd=PROJECT, check=True, capture_output=True,
    )  # fmt: skip
    bill = json.loads(written.read_text(encoding="utf-8"))
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "longview"
    listed = {(re.sub(r"[-_.]+", "-", part["name"]).lower(), part["version"]) for part in bill["components"]}
    assert listed == versions(PROJECT / "requirements-grown.txt")
    assert all(part["purl"].startswith("pkg:pypi/") for part in bill["components"])


def installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
