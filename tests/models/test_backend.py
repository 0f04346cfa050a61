"""Loading the networks' libraries: their start lines are left out, all else is written."""

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
CHATTER = """WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795256065.714123   14340 port.cc:153] oneDNN custom operations are on.
"""


def said_while_loading(folder: Path, library: str) -> tuple[int, str]:
    (folder / "keras.py").write_text(library)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from models import backend; backend.load(); print('after', file=sys.stderr)",
        ],
        env={**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{PROJECT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def test_start_lines_are_left_out_and_all_others_written(tmp_path: Path) -> None:
    library = f"import os\nos.write(2, {CHATTER.encode()!r})\nos.write(2, b'a line of ours\\n')"
    assert said_while_loading(tmp_path, library) == (0, "a line of ours\nafter\n")


def test_a_library_that_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    code, said = said_while_loading(
        tmp_path, f"import os\nos.write(2, {CHATTER.encode()!r})\nimport no_such_library"
    )
    assert code == 1
    assert "no_such_library" in said
    assert "oneDNN" not in said
