"""Very many women: the worklist, a patient's page and the cohort, as one person clicks through them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import psutil  # type: ignore[import-untyped]

from dashboard.benchmark.clicks import WORKLIST, open_patient
from dashboard.benchmark.client import Answer, Client, NoAnswer, Widget
from dashboard.benchmark.job import Job, quantile
from dashboard.keys import BAND, DENSITY, GROUP, SEARCH

FRESH = 5
"""So often a page is opened anew, each time as by somebody who comes."""
CLICKS = 60
PEOPLE = 6
CHOICES = ("button_group", "selectbox")
"""Kinds of widgets that choose whom a cohort is of, or how it is looked at."""
_PAUSE_SECONDS = 0.05


class Clicked:
    """Seconds of clicks, and what each cost the process that serves them."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._spent = self._now()
        self.seconds: list[float] = []
        self.processor: list[float] = []

    def add(self, answer: Answer) -> None:
        """Take the answer to a click that has just come."""
        spent = self._now()
        self.seconds.append(answer.seconds)
        self.processor.append(spent - self._spent)

    async def pause(self) -> None:
        """Wait as a person does who looks at an answer; what is done meanwhile is not the next click's."""
        await asyncio.sleep(_PAUSE_SECONDS)
        self._spent = self._now()

    def _now(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)


async def of_many(job: Job) -> dict[str, float]:
    """Return what one person waits for, in seconds, and what it costs the processor."""
    found: dict[str, float] = {}
    async with Client(job.url, job.tokens[0]) as warm:
        await warm.go("worklist")
        await warm.rerun()
    found["worklist_first_s"] = await _first(job, "worklist", job.tokens[0])
    found |= _spread("worklist", await _worklist(job))
    found["patient_s"] = await _patient(job)
    if job.analyst:
        async with Client(job.url, job.analyst) as warm:
            await warm.go("cohort")
            await warm.rerun()
        found["cohort_first_s"] = await _first(job, "cohort", job.analyst)
        found |= _spread("cohort", await _cohort(job))
    return found


async def _first(job: Job, page: str, token: str) -> float:
    seconds = []
    for _ in range(FRESH):
        async with Client(job.url, token) as client:
            seconds.append((await client.go(page)).seconds)
    return quantile(seconds, 0.5)


def _spread(name: str, clicked: Clicked) -> dict[str, float]:
    return {
        f"{name}_p50_s": quantile(clicked.seconds, 0.5),
        f"{name}_p95_s": quantile(clicked.seconds, 0.95),
        f"{name}_processor_p50_s": quantile(clicked.processor, 0.5),
    }


async def _worklist(job: Job) -> Clicked:
    """Search, filter, change the group and the order, and at the end ask for the next page, as several people one by one."""
    clicked = Clicked(job.pid)
    for person in range(PEOPLE):
        async with Client(job.url, job.tokens[0]) as client:
            await client.go("worklist")
            for what in _wanted(person):
                await clicked.pause()
                if answer := await _do(client, *what):
                    clicked.add(answer)
    return clicked


TEXTS = ("Hart", "SC00012", "Berg4", "Lena", "9", "Ito1")
COLUMNS = ("risk", "patient", "change", "last_study", "age", "slope")


def _wanted(person: int) -> Iterator[tuple[str, str | int]]:
    for step in range(2):
        at = 2 * person + step
        yield from (("search", TEXTS[at % len(TEXTS)]), ("search", ""), ("group", at), ("group", -1))
        yield from (
            ("order", COLUMNS[at % len(COLUMNS)]),
            ("density", at),
            ("band", at),
            ("density", -1),
            ("band", -1),
        )
        yield "order", ""
    yield "more", ""


async def _do(client: Client, what: str, value: str | int) -> Answer | None:
    """Do one thing; None where the page does not offer it now, as a next page of few."""
    if what == "order":
        return await client.click(WORKLIST, "order", {"column": value, "descending": True})
    if what == "more":
        more = next((one for one in client.widgets.values() if one.label.endswith(" more")), None)
        return await client.set(more, True) if more else None
    widget = client.widget({"search": SEARCH, "group": GROUP, "density": DENSITY, "band": BAND}[what])
    if widget is None:
        return None
    if what == "search":
        return await client.set(widget, str(value))
    if what == "group":
        return await client.set(widget, [widget.options[int(value) % len(widget.options)]])
    return await client.set(widget, [] if value == -1 else [widget.options[int(value) % len(widget.options)]])


async def _patient(job: Job) -> float:
    seconds = []
    async with Client(job.url, job.tokens[0]) as client:
        for woman in job.women[:15]:
            await client.go("worklist")
            await asyncio.sleep(_PAUSE_SECONDS)
            if (await open_patient(client, woman)).to_figure is None:
                raise NoAnswer(f"The page of {woman.mrn} has no course.")
            await asyncio.sleep(_PAUSE_SECONDS)
            seconds.append((await client.rerun()).seconds)
    return quantile(seconds[3:] or seconds, 0.5)


async def _cohort(job: Job) -> Clicked:
    """Choose one option after another of whatever the page lets choose, and take each back."""
    clicked = Clicked(job.pid)
    async with Client(job.url, job.analyst) as client:
        await client.go("cohort")
        for round_ in range(CLICKS):
            choices = sorted(
                (one for one in client.widgets.values() if _is_choice(one)), key=lambda one: one.id
            )
            if not choices:
                break
            widget = choices[round_ % len(choices)]
            option = widget.options[(round_ // len(choices)) % len(widget.options)]
            await clicked.pause()
            clicked.add(await client.set(widget, option if widget.kind == "selectbox" else [option]))
            await clicked.pause()
            if (again := client.widgets.get(widget.id)) is not None and widget.kind == "button_group":
                clicked.add(await client.set(again, []))
    return clicked


def _is_choice(widget: Widget) -> bool:
    return widget.kind in CHOICES and len(widget.options) > 1
