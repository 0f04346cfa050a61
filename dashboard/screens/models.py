"""The models: which one speaks, what each learned from, how well it did."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date

import streamlit as st

from core.people import Permission
from core.records import AlertRate, Card, ChangedAlert, cards, changed_alerts, rates_of_alerts
from core.rules import Measure, rules_in_force
from dashboard import addresses, keys, look, session
from dashboard.house import here

RIVALS = {
    "last": "her last visit alone",
    "no_pixels": "no pictures: age, density, dates",
    "dates": "dates and number of visits alone",
}
PAGE_OF_CHANGED = 20
COUNTED = ("women", "cases", "studies", "views", "images")
"""What a domain is counted in."""
MEASURES = {
    "auc": "AUC",
    "brier": "Brier score",
    "c_index": "C-index",
    "n": "number",
    "o_e": "observed / expected",
}
"""What a card calls some figures, and what they are called in words."""
MEASURED = {
    "malignancy": "cancer in this breast within 12 months",
    "progression": "disease has grown since the prior",
}


def number(value: object, digits: int = 2) -> str:
    """Return a figure with so many decimals; "–" where there is none."""
    return f"{value:.{digits}f}".replace("-", "−") if isinstance(value, int | float) else look.UNKNOWN


def signed(value: object) -> str:
    """Return a difference with its sign."""
    return f"{value:+.3f}".replace("-", "−") if isinstance(value, int | float) else look.UNKNOWN


def ci(values: object, show: Callable[[object], str] = number) -> str:
    """Return an interval in brackets, or nothing where there is none."""
    if isinstance(values, list | tuple) and len(values) == 2 and all(v is not None for v in values):
        return f"({show(values[0])} to {show(values[1])})"
    return ""


def part(metrics: Mapping[str, object], *names: str) -> Mapping[str, object]:
    """Return a group within the metrics, empty where it is missing."""
    found: object = metrics
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def horizons(metrics: Mapping[str, object]) -> list[list[str]]:
    """Return a row for each horizon: how well risk is told apart and how well it is calibrated."""
    return [
        [
            f"within {years} year{'s' if years != '1' else ''}",
            f"{one.get('events', look.UNKNOWN)} of {one.get('n', look.UNKNOWN)}",
            f"<b>{number(one.get('auc'))}</b> {ci(one.get('auc_ci'))}",
            number(one.get("o_e")),
            number(one.get("calibration_slope")),
        ]
        for years in sorted(part(metrics, "risk"))
        if (one := part(metrics, "risk", years))
    ]


def rivals(metrics: Mapping[str, object]) -> list[list[str]]:
    """Return a row for each control: what the history adds to it, on the same women."""
    return [
        [words, *(f"{signed(one.get('gain'))}<br>{ci(one.get('gain_ci'), signed)}" for one in each)]
        for name, words in RIVALS.items()
        if (each := [part(metrics, "controls", name, years) for years in ("1", "2", "5")]) and any(each)
    ]


def others(metrics: Mapping[str, object]) -> list[list[str]]:
    """Return what else was measured, a row each."""
    rows = [
        [words, f"AUC <b>{number(one.get('auc'))}</b> {ci(one.get('auc_ci'))}"]
        for name, words in MEASURED.items()
        if (one := part(metrics, name))
    ]
    density, pointing = part(metrics, "density"), part(metrics, "pointing")
    if density:
        rows.append(
            [
                "density A–D",
                f"right in {look.percent_of(density.get('accuracy'))}, κ {number(density.get('kappa'))}",
            ]
        )
    if pointing:
        rows.append(["heat map peaks on the true lesion", look.percent_of(pointing.get("hits"))])
    return rows


def domain(shown: Card) -> None:
    """Say which pictures a model knows, and what it turns away: of those its numbers are withheld."""
    known = shown.domain
    limit = known.get("limit")
    if shown.of_single_images and limit is None:
        return
    look.heading("Which pictures it knows")
    if not isinstance(limit, int | float):
        look.show(
            '<p class="lv-note alert">It is not recorded which pictures it learned from, so none of its numbers is '
            "shown. From a terminal: <code>python -m core train domain</code></p>"
        )
        return
    many = ", ".join(f"{look.safe(known[what])} {what}" for what in COUNTED if what in known)
    look.show(
        f'<p class="lv-needed">Fitted on {look.safe(known.get("fitted_on", "women"))}'
        f"{f' ({many})' if many else ''}. A picture further away than {number(limit)} is unlike them, and no number is "
        "shown of it; 1 is usual.</p>"
    )
    alike = part(known, "like")
    turned_away = {f"{name}, left out": alike[name] for name in alike} | dict(part(known, "turned_away"))
    counted = [what for what in COUNTED if any(f"{what}_beyond" in part(turned_away, n) for n in turned_away)]
    rows = [
        [look.safe(name.replace("_", " ")), *(turned(part(turned_away, name), what) for what in counted)]
        for name in turned_away
    ]
    if rows:
        look.show(table(rows, ["turned away, of", *counted]))


def turned(share: Mapping[str, object], what: str) -> str:
    """Say how many of a set's studies or views lie beyond the limit."""
    beyond, of = share.get(f"{what}_beyond"), share.get(what)
    if not (isinstance(beyond, int) and isinstance(of, int) and of > 0):
        return look.UNKNOWN
    return f"{beyond} of {of} <span class='lv-muted'>({look.percent(beyond / of)})</span>"


def classes(metrics: Mapping[str, object]) -> list[list[str]]:
    """Return a row for each class that a model of single images tells from the rest."""
    return [
        [
            look.safe(name),
            look.safe(one.get("n", look.UNKNOWN)),
            f"<b>{number(one.get('auc'))}</b> {ci(one.get('auc_ci'))}",
            f"{look.percent_of(one.get('sensitivity_at_90_specificity'))} "
            f"{ci(one.get('sensitivity_at_90_specificity_ci'), look.percent_of)}",
        ]
        for name in part(metrics, "by_class")
        if (one := part(metrics, "by_class", name))
    ]


def pairs(metrics: Mapping[str, object]) -> list[list[str]]:
    """Return a row for each pair of classes, and one for all of them together."""
    rows = [
        [
            look.safe(name),
            f"<b>{number(one.get('auc'))}</b> {ci(one.get('auc_ci'))}",
            f"{look.percent_of(one.get('accuracy'))} {ci(one.get('accuracy_ci'), look.percent_of)}",
        ]
        for name in part(metrics, "pairs")
        if (one := part(metrics, "pairs", name))
    ]
    if rows:
        right = (
            f"{look.percent_of(metrics.get('accuracy'))} {ci(metrics.get('accuracy_ci'), look.percent_of)}"
        )
        rows.append(["all classes", "", right])
    return rows


def measure(name: str) -> str:
    """Say what a card calls a figure."""
    if name.endswith("_ci"):
        return f"{measure(name.removesuffix('_ci'))}, 95 % interval"
    return MEASURES.get(name, name.replace("_", " "))


def lines(metrics: Mapping[str, object], before: str = "") -> list[list[str]]:
    """Flatten a card's metrics into rows: what was measured, and the figure."""
    rows: list[list[str]] = []
    for name, value in metrics.items():
        what = f"{before} {measure(name)}".strip()
        if isinstance(value, Mapping):
            rows += lines(value, what)
        elif isinstance(value, bool | str | int) or value is None:
            rows.append([look.safe(what), look.UNKNOWN if value is None else look.safe(value)])
        elif isinstance(value, float):
            rows.append([look.safe(what), number(value, 3)])
        elif (
            isinstance(value, list | tuple)
            and all(isinstance(v, int | float) for v in value)
            and len(value) <= 8
        ):
            rows.append([look.safe(what), " to ".join(number(v, 3) for v in value)])
    return rows


def measured(shown: Card) -> None:
    """Show how well a model did: what matters first, every figure on request."""
    metrics = shown.metrics
    if not metrics:
        look.show('<p class="lv-muted">No measured performance is on this card.</p>')
        return
    women, of = metrics.get("women"), part(metrics, "set")
    # Where the card does not say who was measured, they were test women out of what it learned from.
    kind = "simulated women" if of.get("simulated", shown.simulated_training) else "women"
    on = f"on {women} {kind} it never saw" if isinstance(women, int) else f"on {kind} it never saw"
    by_horizon, against, more = horizons(metrics), rivals(metrics), others(metrics)
    if by_horizon:
        look.heading("Cancer", beside=f"{on}; in brackets the 95 % interval")
        look.show(table(by_horizon, ["", "cancers", "AUC", "observed / expected", "slope"]))
        look.footer("AUC: 0.5 is chance, 1 is perfect. Observed / expected and slope: 1 is well calibrated.")
    if against:
        look.heading("What the history adds", beside="difference of AUC on the same women")
        look.show(table(against, ["against", "within 1 year", "within 2 years", "within 5 years"]))
        look.footer("Nothing is shown to be added where the interval holds 0.")
    if more:
        look.heading("Also measured", beside="" if by_horizon else on)
        look.show(table(more, ["", ""]))
    by_class, by_pair = classes(metrics), pairs(metrics)
    if by_class:
        images = metrics.get("n", look.UNKNOWN)
        look.heading("Each class against the rest", beside=f"{images} images; in brackets the 95 % interval")
        look.show(table(by_class, ["", "images", "AUC", "found at 90 % specificity"]))
    if by_pair:
        look.heading("One class against another")
        look.show(table(by_pair, ["", "AUC", "right in"]))
    if by_class or by_pair:
        how = str(metrics.get("measured_on", ""))
        look.footer(f"AUC: 0.5 is chance, 1 is perfect. {how[:1].upper()}{how[1:]}".strip())
    with st.expander("Every figure"):
        # What was measured on stands among the figures, as a sentence: it is broken like one.
        look.show(f'<div class="lv-every">{table(lines(metrics), ["", ""])}</div>')


def card(shown: Card) -> None:
    """Show one model's card."""
    with st.container(border=True):
        speaks = (
            '<span class="lv-badge" title="Its scores are on the pages">speaks</span>' if shown.speaks else ""
        )
        learned = look.badge(True).replace("simulated<", "learned from simulated women<")
        look.show(
            f'<h2 class="lv-heading">{look.safe(shown.title)}{speaks}{learned if shown.simulated_training else ""}</h2>'
        )
        facts, figures = st.columns([2, 3], gap="large")
        with facts:
            look.show(
                table(
                    [
                        (what, look.safe(words))
                        for what, words in (
                            ("learned from", shown.learned_from),
                            ("meant for", shown.intended_use),
                            ("limits", shown.limits),
                            ("calibration", shown.calibration),
                            ("licence", shown.licence),
                            ("made", shown.created),
                            ("name", shown.name),
                            ("weights, sha256", shown.weights_sha256),
                        )
                    ]
                )
            )
        with figures:
            measured(shown)
            domain(shown)


def table(rows: Sequence[Sequence[str]], head: Sequence[str] = (), *, of_words: int = 1) -> str:
    """Return rows as an HTML table, figures to the right after `of_words` columns; the cells are HTML already."""
    # Where there is no head, the first column names what stands beside it and is kept on one line.
    numbers, names = (' class="n"', "") if head else ("", ' class="d"')

    def cells(kind: str, row: Sequence[str]) -> str:
        ways = [names if kind == "td" else ""] * of_words + [numbers] * len(row)
        # What is empty heads nothing.
        kinds = [kind if cell else "td" for cell in row]
        return "".join(f"<{k}{way}>{cell}</{k}>" for k, way, cell in zip(kinds, ways, row, strict=False))

    top = f"<tr>{cells('th', head)}</tr>" if any(head) else ""
    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f'<table class="lv-table">{top}{body}</table>'


def newer_weights() -> None:
    """Say which alerts the newer weights changed, each beside what the earlier ones said; a page of them at a time."""
    look.heading(
        "What the newer weights changed",
        beside="alerts of each woman's newest study, by the earlier weights and by those that scored it last",
    )
    shown = st.session_state.setdefault(keys.CHANGED_SHOWN, PAGE_OF_CHANGED)
    changed = changed_alerts(here(), count=shown + 1)
    if not changed:
        look.show(
            '<p class="lv-muted">No alert is another by the newer weights, or no study was scored by two.</p>'
        )
        return
    head = ["patient", "visit", "alert", "", "by the earlier weights", "by the newer weights"]
    look.show(table([changed_row(one) for one in changed[:shown]], head, of_words=4))
    look.footer("A difference here is one between models: it says nothing of how her risk runs.")
    if len(changed) > shown:
        st.button(f"Show {PAGE_OF_CHANGED} more", on_click=show_more_changed)


def show_more_changed() -> None:
    """Show the next changed alerts too."""
    st.session_state[keys.CHANGED_SHOWN] += PAGE_OF_CHANGED


def changed_row(one: ChangedAlert) -> list[str]:
    """Return an alert that is another by the newer weights, as cells of a table."""
    link = addresses.link_to(one.mrn, **{keys.VISIT: one.study_uid})
    return [
        f'<a href="{look.safe(link)}" target="_self">{look.safe(one.label)}</a>{look.badge(one.simulated)}',
        look.iso(one.on),
        look.safe(one.rule.label),
        "<b>new</b>" if one.is_new else "gone",
        changed_value(one, one.before, withheld=one.before_withheld),
        changed_value(one, one.now, withheld=one.now_withheld),
    ]


def changed_value(one: ChangedAlert, value: float | None, *, withheld: bool) -> str:
    """Say what the rule of an alert looks at, or that it may not be told."""
    if withheld:
        return '<span class="lv-muted">withheld</span>'
    if value is None or not one.rule.is_of_change:
        return look.percent(value)
    is_slope = one.rule.measure is Measure.SLOPE
    return f"{look.signed(value)} points a year" if is_slope else look.times(value)


def alert_rules_table() -> None:
    """List the rules for alerts, each with how often it fires on the women here."""
    reference = rules_in_force().reference
    look.heading("Alert rules", beside=f"edition {rules_in_force().edition}, most urgent first")
    rows = [rule_row(rate) for rate in rates_of_alerts(here(), today=date.today())]
    look.show(table(rows, ["rule", "when", "source", "fires", "of 100 women"], of_words=3))
    look.footer(
        f"Change and slope are held against those of women without cancer, of this model alone: "
        f"{reference.measured_on}. {reference.fires}."
    )


def rule_row(rate: AlertRate) -> list[str]:
    """Return a rule as cells of a table."""
    rule, hundred = rate.rule, rate.per_hundred
    return [
        f"<b>{look.safe(rule.label)}</b>",
        look.safe(f"{threshold_words(rate)}{rule.why}"),
        look.safe(rule.source),
        f"{rate.women} of {rate.of}",
        look.UNKNOWN if hundred is None else f"{hundred:.1f}",
    ]


def threshold_words(rate: AlertRate) -> str:
    """Say above what a rule fires."""
    rule, reference = rate.rule, rules_in_force().reference
    if rule.above is not None:
        return f"Above {look.percent(rule.above)}. "
    if rule.quantile is None:
        return ""
    place = reference.shares.index(rule.quantile)
    if rule.measure is Measure.SLOPE:
        return f"Above {look.signed(reference.slope[place])} points a year. "
    other = f" ({look.times(rule.otherwise)} by weights that were not measured)" if rule.otherwise else ""
    return f"Above {look.times(reference.ratio[place])}{other}. "


person = session.require(Permission.SEE_MODELS)
look.title("Models")
if person.may(Permission.SEE_PATIENTS):
    alert_rules_table()
if person.may(Permission.SEE_PATIENTS):
    newer_weights()
found = cards.cards(here())
if not found:
    look.show(
        '<div class="lv-empty"><b>No model is installed</b>Studies wait until one is. '
        "Train one from a terminal: <code>python -m core train longitudinal</code></div>"
    )
for each in found:
    card(each)
if found:
    look.footer(
        "Research software. Not for diagnosis. A figure on a card holds for women like those it was measured on."
    )
