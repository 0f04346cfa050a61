"""The client that the README shows runs as it stands there, against a dashboard that really runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from core.people import Role, Scope, own_tokens
from core.people.demo_accounts import DEMO_ACCOUNTS
from tests.dashboard.conftest import PROJECT, Served
from tests.dashboard.web.test_dicom_web import of_nobody


def client() -> str:
    section = (PROJECT / "README.md").read_text("utf-8").partition("\n## API\n")[2].partition("\n## ")[0]
    return section.partition("```python\n")[2].partition("```")[0]


def test_the_client_sends_a_file_and_reads_every_course(served: Served, tmp_path: Path) -> None:
    username = next(name for name, (role, *_) in DEMO_ACCOUNTS.items() if role is Role.ONCOLOGIST)
    made = own_tokens.make_own_token(served.here, username, [Scope.READ, Scope.WRITE], label="readme")
    (tmp_path / "client.py").write_text(client(), "utf-8")
    (tmp_path / "film.dcm").write_bytes(of_nobody())
    ran = subprocess.run(
        [sys.executable, "client.py", "film.dcm"],
        cwd=tmp_path,
        env={**os.environ, "LONGVIEW_URL": served.url, "LONGVIEW_TOKEN": made.token},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    first, *told = ran.stdout.splitlines()
    assert first.startswith("film.dcm quarantined")
    assert len({line.split()[0] for line in told}) >= 8
    assert all(line.endswith(("within 5 years", "not told")) for line in told)
    assert len(client().strip().splitlines()) <= 30
