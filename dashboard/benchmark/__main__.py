"""``python -m dashboard.benchmark``: a job as JSON on stdin, ``{"name": {"value", "unit"}}`` on stdout."""

from __future__ import annotations

import asyncio
import json
import sys

import psutil  # type: ignore[import-untyped]

from dashboard.benchmark import browser, clicks, health, scale
from dashboard.benchmark.job import Job, quantile

UNITS = {
    "people_clicks": "1/s",
    "people_lost": "people",
    "compare_first_picture_s": "s",
    "compare_cold_first_picture_s": "s",
    "pan_frames_per_second": "1/s",
}


def measured(job: Job) -> dict[str, dict[str, object]]:
    """Measure everything, one person first, then many; or how two studies are compared, where the job says so."""
    if job.compares:
        say("two studies beside each other")
        return _said(browser.compared(job))
    if job.of_many:
        say("one person's clicks among very many women")
        return _of_many(job)
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
    memory = {"web_memory_before": before / 1e6, "web_memory_after": process.memory_info().rss / 1e6}
    return _said(found) | {name: {"value": round(value, 2), "unit": "MB"} for name, value in memory.items()}


def _of_many(job: Job) -> dict[str, dict[str, object]]:
    found = asyncio.run(scale.of_many(job))
    memory = psutil.Process(job.pid).memory_info().rss / 1e6
    return {name: {"value": round(value, 4), "unit": "s"} for name, value in found.items()} | {
        "web_mb": {"value": round(memory, 1), "unit": "MB"}
    }


def _said(found: dict[str, float]) -> dict[str, dict[str, object]]:
    return {name: {"value": round(value, 2), "unit": UNITS.get(name, "ms")} for name, value in found.items()}


def say(step: str) -> None:
    """Say on stderr what is being measured."""
    print(f"measuring {step} …", file=sys.stderr, flush=True)


if __name__ == "__main__":
    json.dump(measured(Job.model_validate_json(sys.stdin.read())), sys.stdout)
