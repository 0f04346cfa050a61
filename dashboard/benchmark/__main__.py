"""``python -m dashboard.benchmark``: a job as JSON on stdin, ``{"name": {"value", "unit"}}`` on stdout."""

from __future__ import annotations

import asyncio
import json
import sys

import psutil  # type: ignore[import-untyped]

from dashboard.benchmark import browser, clicks, health
from dashboard.benchmark.job import Job, quantile

UNITS = {"people_clicks": "1/s", "people_lost": "people"}


def measured(job: Job) -> dict[str, dict[str, object]]:
    """Measure everything, one person first, then many."""
    process = psutil.Process(job.pid)
    say("one person's clicks")
    found = asyncio.run(clicks.alone(job))
    say("pages in a browser")
    found |= browser.seen(job)
    say(f"{job.people} people for {job.seconds:g} s")
    before = process.memory_info().rss
    with health.asked_meanwhile(job.url) as answered:
        found |= asyncio.run(clicks.together(job))
    found["health_p95"] = 1000 * quantile(answered, 0.95)
    units = {name: UNITS.get(name, "ms") for name in found}
    found |= {"web_memory_before": before / 1e6, "web_memory_after": process.memory_info().rss / 1e6}
    return {name: {"value": round(value, 2), "unit": units.get(name, "MB")} for name, value in found.items()}


def say(step: str) -> None:
    """Say on stderr what is being measured."""
    print(f"measuring {step} …", file=sys.stderr, flush=True)


if __name__ == "__main__":
    json.dump(measured(Job.model_validate_json(sys.stdin.read())), sys.stdout)
