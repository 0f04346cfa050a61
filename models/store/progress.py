"""What is told of work that takes long."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["OnProgress"]

OnProgress = Callable[[str, float, dict[str, float]], None]
"""Called with the stage's name, the share of it that is done (0..1) and the latest figures."""
