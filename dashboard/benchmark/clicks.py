"""One person's clicks one after another, and the clicks of many at once."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Iterator

from dashboard.benchmark.client import Answer, Client, NoAnswer
from dashboard.benchmark.job import Job, Woman, spread
from dashboard.keys import PATIENT, VISIT

WORKLIST, STRIP = "longview_worklist", "longview_strip"
THINKS_SECONDS = (1.5, 4.5)
WARM_UP = 5
"""So many rounds, at most as many as are measured, are left out: pages that nobody has asked for yet take longer."""
_PAUSE_SECONDS = 0.05
"""A person does not click into the very end of an answer."""


async def open_patient(client: Client, woman: Woman) -> Answer:
    """Open a woman from the worklist, by its table where the page has it."""
    if client.has(WORKLIST):
        answer = await client.click(WORKLIST, "open", woman.mrn)
        if client.query.get(PATIENT) == woman.key:
            return answer
    return await client.go("patient", {PATIENT: woman.key})


async def switch_visit(client: Client, woman: Woman, study: str) -> Answer:
    """Choose another visit, by the strip where it tells the server, else by the address."""
    if client.has(STRIP):
        answer = await client.click(STRIP, "choose", study)
        if client.query.get(VISIT) == study:
            return answer
    return await client.go("patient", {PATIENT: woman.key, VISIT: study})


async def alone(job: Job) -> dict[str, float]:
    """Measure what one person waits for, in milliseconds, on pages that have been asked for before."""
    women = itertools.cycle(job.women)
    reruns: dict[str, list[float]] = {"worklist_rerun": [], "patient_rerun": []}
    opened, trends, switched = [], [], []
    warm_up = min(WARM_UP, job.rounds)
    async with Client(job.url, job.tokens[0]) as client:
        for _ in range(job.rounds + warm_up):
            woman = next(women)
            await client.go("worklist")
            await asyncio.sleep(_PAUSE_SECONDS)
            reruns["worklist_rerun"].append((await client.rerun()).seconds)
            await asyncio.sleep(_PAUSE_SECONDS)
            answer = await open_patient(client, woman)
            opened.append(answer.seconds)
            if answer.to_figure is not None:
                trends.append(answer.to_figure)
            await asyncio.sleep(_PAUSE_SECONDS)
            reruns["patient_rerun"].append((await client.rerun()).seconds)
            for study in woman.studies[:-1][-1:]:
                await asyncio.sleep(_PAUSE_SECONDS)
                switched.append((await switch_visit(client, woman, study)).seconds)
    measured: dict[str, float] = {}
    for name, seconds in (
        *reruns.items(),
        ("worklist_to_trend", trends),
        ("worklist_to_patient", opened),
        ("visit_switch", switched),
    ):
        if kept := seconds[min(warm_up, len(seconds) - 1) :]:
            measured |= spread(name, kept)
    return measured


async def together(job: Job) -> dict[str, float]:
    """Let many people click for a while, each with time to look between two clicks; milliseconds, and clicks a second."""
    seconds: list[float] = []
    lost: list[str] = []
    until = time.monotonic() + job.seconds

    async def person(number: int) -> None:
        chance = random.Random(number)
        async with Client(job.url, job.tokens[number % len(job.tokens)]) as client:
            await asyncio.sleep(chance.uniform(0, THINKS_SECONDS[1]))
            await client.go("worklist")
            for click in _goes_on(chance, job.women):
                await asyncio.sleep(chance.uniform(*THINKS_SECONDS))
                if time.monotonic() > until:
                    return
                seconds.append((await _click(client, *click)).seconds)

    begun = time.monotonic()
    for end in await asyncio.gather(*(person(n) for n in range(job.people)), return_exceptions=True):
        if isinstance(end, NoAnswer | OSError):
            lost.append(str(end))
        elif isinstance(end, BaseException):
            raise end
    return {
        **spread("people_click", seconds),
        "people_clicks": len(seconds) / (time.monotonic() - begun),
        "people_lost": len(lost),
    }


def _goes_on(chance: random.Random, women: tuple[Woman, ...]) -> Iterator[tuple[str, Woman, str]]:
    """Yield what a person does next: read the worklist, open a woman, look at her visits; now and then at the cohort."""
    while True:
        woman = chance.choice(women)
        yield "rerun", woman, ""
        yield "open", woman, ""
        for study in chance.sample(woman.studies, min(2, len(woman.studies))):
            yield "switch", woman, study
        yield "rerun", woman, ""
        if chance.random() < 0.2:
            yield "cohort", woman, ""
        yield "worklist", woman, ""


async def _click(client: Client, what: str, woman: Woman, study: str) -> Answer:
    if what == "open":
        return await open_patient(client, woman)
    if what == "switch":
        return await switch_visit(client, woman, study)
    return await (client.rerun() if what == "rerun" else client.go(what))
