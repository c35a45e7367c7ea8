"""What holds for the whole book: names that must be unique, or be there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from tests.notebooks.cells import Notebook, argument, constant
from tests.notebooks.exercises import exercises

_LABEL = re.compile(r"^:label: *(eq-\S+)|\$\$ *\((eq-[^)\s]+)\)", re.MULTILINE)
_EQUATION = re.compile(r"(?:\{eq\}|:eq:)`([^`]+)`")
_FIGURE = re.compile(r"\{numref\}`(?:[^`<]*<)?([^`>]+)>?`")


def twice(names: Iterable[str]) -> list[str]:
    """The names that come more than once."""
    return sorted(name for name, n in Counter(names).items() if n > 1)


def figure_problems(
    notebooks: Sequence[Notebook], texts: Iterable[str]
) -> list[str]:
    """Figures have names of their own, and the text speaks of each."""
    named = [
        cell.figure["name"]
        for notebook in notebooks
        for cell in notebook.code
        if "name" in cell.figure
    ]
    spoken = {name for text in texts for name in _FIGURE.findall(text)}
    silent = sorted(set(named) - spoken)
    return [
        *(f"two figures are called {name}" for name in twice(named)),
        *(f"no text refers to {name} with {{numref}}" for name in silent),
    ]


def equation_problems(
    texts: Mapping[str, str], modules: Mapping[str, str]
) -> list[str]:
    """Equations have names of their own, and no reference is to nothing."""
    pairs = [pair for text in texts.values() for pair in _LABEL.findall(text)]
    labels = ["".join(pair) for pair in pairs]
    found = [f"two equations are called {name}" for name in twice(labels)]
    for place, text in {**texts, **modules}.items():
        missing = sorted(set(_EQUATION.findall(text)) - set(labels))
        found += [f"{place}: there is no equation {name}" for name in missing]
    return found


def claim_problems(
    notebooks: Sequence[Notebook], registry: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Each claim of a chapter is registered and made once, in its chapter."""
    found, made = [], []
    for notebook in notebooks:
        for cell in notebook.code:
            for call in cell.calls("claim"):
                key = str(constant(argument(call, 0, "key")))
                made.append(key)
                where = registry.get(key, {}).get("chapter")
                if where is None:
                    found.append(f"{cell}: {key!r} is not in book/claims.yml")
                elif where != notebook.name:
                    found.append(f"{cell}: {key!r} belongs to {where}")
    chapters = {notebook.name for notebook in notebooks}
    found += [f"{key!r} is claimed more than once" for key in twice(made)]
    return found + [
        f"{key!r} is registered, but {entry['chapter']} never claims it"
        for key, entry in registry.items()
        if entry["chapter"] in chapters and key not in made
    ]


def graded_problems(
    notebooks: Sequence[Notebook], checks: Collection[str]
) -> list[str]:
    """Each exercise has a check, and each check an exercise."""
    keys = [e.key for notebook in notebooks for e in exercises(notebook)]
    return [
        *(f"two exercises are called {key}" for key in twice(keys)),
        *(f"{key} has no check" for key in sorted(set(keys) - set(checks))),
        *(
            f"no notebook asks {key}"
            for key in sorted(set(checks) - set(keys))
        ),
    ]


def contents_problems(
    listed: Sequence[str], notebooks: Collection[str]
) -> list[str]:
    """Every notebook is in the table of contents, once."""
    chapters = [name for name in listed if name.startswith("notebooks/")]
    found = {f"notebooks/{name}" for name in notebooks}
    return [
        *(f"{name} is listed twice" for name in twice(listed)),
        *(f"{name} is not listed" for name in sorted(found - set(chapters))),
        *(f"{name} is no file" for name in sorted(set(chapters) - found)),
    ]
