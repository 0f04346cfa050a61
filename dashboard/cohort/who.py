"""Who the women are when they enter."""

import streamlit as st

from core.cohorts import Selection, who
from dashboard import look
from dashboard.charts.cohort import counts
from dashboard.cohort.figure import About, figure

JOINED = "Counts are rounded to five; groups of few women are joined with their neighbours or stand together as others."
ENTRY = "One count a woman, at the visit that she enters with."
NOT_CHANCE = "Differences between groups are not tested, and a group of few women may differ by chance."


def show(selection: Selection) -> None:
    """Show the cohort in short, then ages, densities and all that women are chosen by."""
    look.figures([(what, number, beside, "") for what, number, beside in who.in_short(selection)])
    left, right = st.columns(2)
    ages, densities = who.ages(selection), who.densities(selection)
    with left:
        figure(
            selection,
            "How old are the women?",
            counts(ages, "age_group", x_title="age at entry, years"),
            ages,
            About(
                "The women by their age in whole years, in groups of five years.",
                f"{ENTRY} Age follows from the birth date, where there is none from what the files say. {JOINED}",
                "Women of whom no age is known stand in the last group.",
                "It is not the age of those who come today, nor of the women whom screening invites.",
            ),
            name="age",
        )
    with right:
        figure(
            selection,
            "How dense are their breasts?",
            counts(densities, "density", x_title="density at entry", colour=look.DENSITY),
            densities,
            About(
                "The women by BI-RADS density, A almost entirely fatty to D extremely dense.",
                f"{ENTRY} The reader's density where one is recorded, else the one that the model finds likeliest. {JOINED}",
                "",
                "Density falls with age: two cohorts of different ages are not to be compared by it.",
            ),
            name="density",
        )
    described = who.described(selection)
    figure(
        selection,
        "What is known of them?",
        None,
        described,
        About(
            "Everything that women can be chosen by here, with the number and share of women of each group.",
            f"{ENTRY} Visits, slope, years followed, treatment, events and diagnosis are of all that is on record. "
            f"Shares are those of the rounded counts. {JOINED}",
            "",
            f"{NOT_CHANCE} What came after they entered says nothing of what could be known then.",
        ),
        name="described",
    )
