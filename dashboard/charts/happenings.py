"""The lanes of a course below its risk: what happened beside the studies, and density."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from core.records import EventEntry, EventKind, Visit
from core.rules import last_of_each_day
from core.rules.vocabulary import density_mark, density_name
from dashboard import look
from dashboard.charts.template import Figure

NARROWEST_PX = 640
"""About as wide as a course is drawn on a small screen: words that do not meet there meet nowhere."""
_LETTER_PX, _MARK_PX = 6.2, 9.0

_SYMBOL = {
    EventKind.BIOPSY: "diamond",
    EventKind.DIAGNOSIS: "star",
    EventKind.SURGERY: "square",
    EventKind.MASTECTOMY: "square-x",
    EventKind.THERAPY: "circle",
    EventKind.CONTACT: "circle-dot",
    EventKind.DEATH: "x",
    EventKind.NOTE: "circle-open",
}


@dataclass(frozen=True)
class Placed:
    """An event in its lane (0 is the highest), and on which side of its mark its words stand; none where there is no room."""

    event: EventEntry
    until: date
    lane: int
    side: str


def stagger(events: Sequence[EventEntry], span: tuple[date, date], most: int) -> list[Placed]:
    """Put each event into the highest lane of `most` in which mark and words have room; the last one takes what has none."""
    days_a_px = max(1, (span[1] - span[0]).days) / NARROWEST_PX
    taken: list[list[tuple[date, date]]] = [[] for _ in range(most)]
    placed = []
    for event in events:
        until = _end_of(event, span)
        mark = timedelta(days=_MARK_PX * days_a_px)
        room = timedelta(days=(_LETTER_PX * len(words_of(event)) + 8) * days_a_px)
        spans = {
            "right": (event.on - mark, until + mark + room),
            "left": (event.on - mark - room, until + mark),
        }
        free = (
            (lane, side, reach)
            for lane in range(most)
            for side, reach in spans.items()
            if reach[0] >= span[0] - 2 * mark and reach[1] <= span[1] + 2 * mark
            if all(reach[1] < begin or reach[0] > end for begin, end in taken[lane])
        )
        lane, side, reach = next(free, (most - 1, "", (event.on - mark, until + mark)))
        taken[lane].append(reach)
        placed.append(Placed(event, until, lane, side))
    return placed


def lanes_of(placed: Sequence[Placed]) -> int:
    """Return how many lanes are in use, one at least."""
    return 1 + max((one.lane for one in placed), default=0)


def draw_events(figure: Figure, placed: Sequence[Placed], span: tuple[date, date]) -> None:
    """Draw the events, on the third y axis; a therapy as a bar that ends with a stroke, or an arrow where it goes on."""
    if not placed:
        # An axis without any trace is not drawn at all.
        figure.add(
            "scatter",
            x=[span[0]],
            y=[0],
            yaxis="y3",
            mode="text",
            text=["none recorded"],
            textposition="middle right",
            textfont={"size": 11, "color": look.MUTED},
            hoverinfo="skip",
            name="events",
        )
    lanes = lanes_of(placed)
    for one in placed:
        event, bar = one.event, one.event.kind is EventKind.THERAPY
        ends = f" to {event.end}" if event.end else (", no end recorded" if bar else "")
        words = words_of(event)
        texts = [words if one.side == "left" else "", words if one.side == "right" else ""]
        figure.add(
            "scatter",
            x=[event.on, one.until] if bar else [event.on],
            y=[lanes - 1 - one.lane] * (2 if bar else 1),
            yaxis="y3",
            mode="lines+markers+text" if bar else "markers+text",
            line={"color": "#9AA5B1", "width": 6},
            marker={
                "symbol": ["line-ns", "line-ns" if event.end else "triangle-right"]
                if bar
                else _SYMBOL[event.kind],
                "size": 10,
                "color": look.INK,
                "line": {"color": look.INK, "width": 1.5},
            },
            text=texts if bar else [words if one.side else ""],
            textposition=["middle left", "middle right"] if bar else f"middle {one.side or 'right'}",
            textfont={"size": 11, "color": look.MUTED},
            cliponaxis=False,
            hovertemplate=f"{event.on}{ends}<br>{words}<br>{look.safe(_more(event))}<extra></extra>",
            name=words,
        )


def draw_densities(figure: Figure, visits: Sequence[Visit]) -> None:
    """Draw each day's density, on the fourth y axis: the reader's before the model's, since they stand at one place."""
    readers_last = sorted(
        (visit for visit in visits if visit.density), key=lambda v: (v.on, v.reader_density is not None)
    )
    known = last_of_each_day(readers_last, lambda visit: visit.on)
    figure.add(
        "scatter",
        x=[visit.on for visit in known],
        y=[0] * len(known),
        yaxis="y4",
        mode="text",
        text=[f"<b>{density_mark(visit.density or look.UNKNOWN)}</b>" for visit in known],
        textfont={"color": look.DENSITY_LETTER, "size": 13},
        hovertext=[
            f"{v.on}<br>density {density_name(v.density or look.UNKNOWN)}, {'reader' if v.reader_density else 'model'}"
            for v in known
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        name="density",
    )


def words_of(event: EventEntry) -> str:
    """Name an event, with its breast."""
    return f"{event.kind.value} {event.side_words}".rstrip()


def _more(event: EventEntry) -> str:
    """Say what came of an event, and its note."""
    return ", ".join(filter(None, (event.result.value if event.result else "", event.detail or "")))


def _end_of(event: EventEntry, span: tuple[date, date]) -> date:
    if event.kind is not EventKind.THERAPY:
        return event.on
    return event.end or max(span[1], event.on)
