"""The colours of pages, figures and printed reports.

Blue, orange, green and pink are those of Okabe and Ito (2008): told apart by people who see few colours, too.
"""

from typing import Final

INK: Final = "#1F2937"
MUTED: Final = "#5B6675"
GRID: Final = "#EEF1F4"
RULE: Final = "#C5CCD4"
"""A line between the parts of a printed report, and around its figure."""
ACCENT: Final = "#0B5C8A"
BLUE: Final = "#0072B2"
ORANGE: Final = "#D55E00"
GREEN: Final = "#009E73"
PINK: Final = "#CC79A7"
