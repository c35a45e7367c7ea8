"""One palette and one style for every picture of the book.

A picture is drawn in *stand-in* colours.  When it is turned into SVG each
stand-in becomes a CSS variable with one value for a light page and one for a
dark page (``book/_static/course/course.css``), so the picture follows the
theme of the page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from cycler import cycler

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType


class Role(NamedTuple):
    """A colour by what it means: stand-in, on light, on dark."""

    stand_in: str
    light: str
    dark: str


# Ink is the colour of the text around the picture.
ROLES = {
    "ink": Role("#010203", "#1a1a1a", "#e6e6e6"),
    "muted": Role("#0a0b0c", "#595f69", "#a6adb8"),
    "grid": Role("#0d0e0f", "#d5d9de", "#3c434d"),
    "paper": Role("#fdfcfb", "#ffffff", "#121212"),
    # what flows through a network, chapters 00 to 16
    "input": Role("#100001", "#5a6472", "#a9b4c2"),
    "hidden": Role("#100002", "#0b7a53", "#4cc796"),
    "cell": Role("#100003", "#b3261e", "#f2867d"),
    "gate": Role("#100004", "#8a6100", "#e3b341"),
    "output": Role("#100005", "#a8326f", "#ee8fbf"),
    "query": Role("#100006", "#6b3fa0", "#c3a0f0"),
    "key": Role("#100007", "#b04a00", "#f59b52"),
    "value": Role("#100008", "#0b62b0", "#6cb6ff"),
}

# What a drawing uses: COLOURS["hidden"] is a colour for matplotlib.
COLOURS = {name: role.stand_in for name, role in ROLES.items()}

# Curves side by side: a colour never comes without its own dash and marker.
SERIES: tuple[dict[str, Any], ...] = (
    {"color": COLOURS["hidden"], "linestyle": "-", "marker": "o"},
    {"color": COLOURS["cell"], "linestyle": "--", "marker": "s"},
    {"color": COLOURS["value"], "linestyle": "-.", "marker": "^"},
    {"color": COLOURS["gate"], "linestyle": ":", "marker": "D"},
    {"color": COLOURS["query"], "linestyle": (0, (5, 1, 1, 1)), "marker": "v"},
)

FONT = "DejaVu Sans"  # matplotlib brings it, so widths are known
_INK, _MUTED, _GRID = COLOURS["ink"], COLOURS["muted"], COLOURS["grid"]

STYLE: dict[RcKeyType, Any] = {
    "figure.figsize": (5.2, 3.2),  # inches: one panel, readable on a phone
    "figure.dpi": 96,
    "figure.facecolor": "none",
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
    "svg.hashsalt": "nlp-course",
    "font.family": [FONT],
    "font.size": 11,
    "mathtext.fontset": "dejavusans",
    "text.color": _INK,
    "axes.facecolor": "none",
    "axes.edgecolor": _MUTED,
    "axes.labelcolor": _INK,
    "axes.titlecolor": _INK,
    "axes.titlesize": 11,
    "axes.prop_cycle": cycler(color=[s["color"] for s in SERIES]),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.8,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "hatch.color": _INK,
}


def use_course_style() -> None:
    """Draw in the style of the course from here on (changes rcParams)."""
    import matplotlib as mpl

    mpl.rcParams.update(STYLE)


def css() -> str:
    """The palette as CSS: variables for a light and for a dark page."""
    light = "".join(f"  --course-{n}: {r.light};\n" for n, r in ROLES.items())
    dark = "".join(f"  --course-{n}: {r.dark};\n" for n, r in ROLES.items())
    return (
        f"html {{\n{light}}}\n"
        f'html[data-theme="dark"] {{\n{dark}}}\n'
        # JupyterLab in a dark theme
        f'body[data-jp-theme-light="false"] {{\n{dark}}}\n'
    )
