"""A small chapter that is sound, to be spoilt in one place at a time."""

from __future__ import annotations

from typing import Any

from tests.notebooks.cells import Notebook
from tools.run_notebooks import NOTEBOOK_METADATA

NAME = "00_text_to_tensors"
PARAMETERS = {"tags": ["parameters"]}
FIGURE = {"figure": {"caption": "A curve.", "name": "fig-curve"}}
SLIDER = {"figure": {"caption": "A slider.", "name": "fig-slider"}}
TASK = """```{{exercise}} Predict: a number
:label: ex-00-{0}

How many?
```"""
START = """```{{solution-start}} ex-00-{0}
:class: dropdown
```"""
END = """```{solution-end}
```"""


def prose(text: str) -> dict[str, Any]:
    """A cell of text."""
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def code(
    source: str, *tags: str, text: str = "", figure: Any = None
) -> dict[str, Any]:
    """A code cell, with one text that it printed and stored."""
    metadata: dict[str, Any] = {"tags": list(tags)} if tags else {}
    if figure:
        metadata["mystnb"] = figure
    stream = {"output_type": "stream", "name": "stdout", "text": [text]}
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": metadata,
        "outputs": [stream] if text else [],
        "source": source,
    }


def exercise(level: str) -> list[dict[str, Any]]:
    """The cells of one exercise."""
    key = f'"00-{level}"'
    return [
        prose(TASK.format(level)),
        code(f"answer = None\ngrade({key}, answer)", text="✗ not answered"),
        prose(START.format(level)),
        code(f"grade({key}, 7).require()", text="✓ right"),
        prose(END),
    ]


def cells() -> list[dict[str, Any]]:
    """The cells of the chapter, with their counts."""
    found = [
        prose("# 00 · From text\n\nSee {numref}`fig-curve` and {eq}`eq-a`."),
        code('seed = 0  # any\nscale = "quick"', "parameters"),
        prose("```{math}\n:label: eq-a\na = b\n```\n\n$$ c = d $$ (eq-c)"),
        code("loss = train(seed)\nprint(loss)", "nbval-ignore-output"),
        code("mean = sum(loss)\nfig = draw(mean)", text="9"),
        code('show(fig, "A curve falls.")', figure=FIGURE),
        code('claim("text-falls", f"to {mean}", mean < 1)', text="✓"),
        prose("## Explore\n\nMove the slider of {numref}`fig-slider`."),
        code('explore(draw, alt, k=Slider("k", [1]))', figure=SLIDER),
        prose("## Exercises"),
        *exercise("predict"),
        *exercise("derive"),
        *exercise("build"),
        prose("## Common slips\n\n## Summary\n\n## Further reading"),
    ]
    run = [cell for cell in found if cell["cell_type"] == "code"]
    for count, cell in enumerate(run, 1):
        cell["execution_count"] = count
    return found


def notebook(changed: list[dict[str, Any]] | None = None) -> Notebook:
    """The chapter, or one of these cells, as it would be read from a file."""
    return Notebook(
        NAME,
        {
            "cells": cells() if changed is None else changed,
            "metadata": NOTEBOOK_METADATA,
        },
    )


def spoilt(old: str, new: str) -> Notebook:
    """The chapter with one text changed wherever it stands."""
    changed = cells()
    hits = 0
    for cell in changed:
        hits += cell["source"].count(old)
        cell["source"] = cell["source"].replace(old, new)
    assert hits == 1, f"{hits} times in the sample: {old}"
    return notebook(changed)


def at(source: str) -> int:
    """The place of the cell that begins like this."""
    found = [
        k for k, c in enumerate(cells()) if c["source"].startswith(source)
    ]
    assert len(found) == 1, source
    return found[0]
