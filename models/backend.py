"""The networks' libraries, loaded without the lines that they print at every start."""

from __future__ import annotations

import importlib
import os
import re
import sys
import tempfile

__all__ = ["load"]

_CHATTER = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog|I\d{4} [\d:.]+ +\d+ \S+\.cc:\d+\] |To enable the following instructions"
)


def load() -> None:
    """Import Keras and its backend, which takes seconds and a gigabyte; what they print at their start is left out.

    They write before a log level can be set, straight to file descriptor 2. So it is kept apart while they load;
    every line that is not of that kind, such as a log line of another thread or a failure, is then written.
    """
    if "keras" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            importlib.import_module("keras")
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            said.seek(0)
            os.write(2, b"".join(line for line in said if not _CHATTER.match(line)))
