"""What a notebook must be like; each check lists its complaints.

The complaints name the cell and say what was expected, so that a test has
only to ask that there are none.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence

from tests.notebooks.cells import (
    Cell,
    Notebook,
    argument,
    called,
    constant,
    statements,
)
from tests.notebooks.dataflow import unproven
from tests.notebooks.exercises import exercise_problems
from tests.notebooks.figures import explorables, figures, pictures
from tools.run_notebooks import (
    KEPT_CELL_METADATA,
    KEPT_DATA,
    NOTEBOOK_METADATA,
)

WIDTH = 79
# A cell with any other tag might escape the comparison of its outputs.
TAGS = {"parameters", "hide-input", "hide-output", "nbval-ignore-output"}
# What every chapter has, in this order: headings, or titles of boxes.
SECTIONS = (
    "explore",
    "exercises",
    "common slip",
    "summary",
    "further reading",
)

Check = Callable[[Notebook], list[str]]


def counts(notebook: Notebook) -> list[str]:
    """A code cell without its count is never compared with a new run."""
    found = [cell.raw["execution_count"] for cell in notebook.code]
    if found == list(range(1, len(found) + 1)):
        return []
    return [f"execution counts are {found}, not 1, 2, 3 …"]


def plain_python(notebook: Notebook) -> list[str]:
    """Magics and shell commands run only in some places."""
    return [
        f"{cell} is empty or not plain Python"
        for cell in notebook.code
        if not cell.tree.body
    ]


def outputs(notebook: Notebook) -> list[str]:
    """Only texts are stored: a picture differs from machine to machine."""
    found = []
    for cell in notebook.code:
        for output in cell.raw["outputs"]:
            kind = output["output_type"]
            if kind == "error":
                found.append(f"{cell} stores an error")
            if output.get("name") == "stderr":
                found.append(f"{cell} stores what went to stderr")
            extra = sorted(set(output.get("data", {})) - KEPT_DATA)
            if extra:
                found.append(f"{cell} stores {', '.join(extra)}")
    return found


def metadata(notebook: Notebook) -> list[str]:
    """Nothing of the machine or the editor is stored."""
    found = []
    if notebook.raw["metadata"] != NOTEBOOK_METADATA:
        found.append("the notebook's metadata are not those of every chapter")
    for cell in notebook.cells:
        extra = sorted(set(cell.raw["metadata"]) - KEPT_CELL_METADATA)
        if extra:
            found.append(f"{cell} has metadata {', '.join(extra)}")
    return found


def parameters(notebook: Notebook) -> list[str]:
    """Papermill puts other values in after the cell of parameters."""
    tagged = [cell for cell in notebook.code if "parameters" in cell.tags]
    if tagged != notebook.code[:1]:
        return ["the first code cell, and no other, must have `parameters`"]
    (cell,) = tagged
    given = {}
    for statement in cell.tree.body:
        if not isinstance(statement, ast.Assign):
            return [f"{cell} must hold nothing but assignments"]
        given[ast.unparse(statement.targets[0])] = constant(statement.value)
    if type(given.get("seed")) is not int or given.get("scale") != "quick":
        return [f'{cell} must set seed to a number and scale to "quick"']
    loose = [name for name, value in given.items() if value is None]
    return [f"{cell}: {name} must have a literal value" for name in loose]


def widths(notebook: Notebook) -> list[str]:
    """Longer lines scroll sideways on the page, in code and in print."""
    return [
        f"{cell} has a line of {len(line)} characters: {line.strip()[:40]}…"
        for cell in notebook.code
        for text in (cell.source, cell.printed)
        for line in text.splitlines()
        if len(line) > WIDTH
    ]


def tags(notebook: Notebook) -> list[str]:
    """No tag but those that are known not to hide a wrong number."""
    return [
        f"{cell} has the tag {tag!r}"
        for cell in notebook.cells
        for tag in cell.tags
        if tag not in TAGS
    ]


def claims(notebook: Notebook) -> list[str]:
    """Claims stand at the end of a cell, bare, with their id written out."""
    found = []
    for cell in notebook.code:
        made = [node for node in statements(cell) if called(node) == "claim"]
        mentions = [
            node
            for node in ast.walk(cell.tree)
            if isinstance(node, ast.Name) and node.id == "claim"
        ]
        if len(mentions) > len(made):
            found.append(f"{cell}: claim(…) must be a statement of its own")
        tail = cell.tree.body[len(cell.tree.body) - len(made) :]
        ends = [getattr(statement, "value", None) for statement in tail]
        if ends != made:
            found.append(f"{cell}: claims must be the last of a cell")
        found += [
            f"{cell}: {ast.unparse(call)[:40]}… needs a literal id"
            for call in cell.calls("claim")
            if not isinstance(constant(argument(call, 0, "key")), str)
        ]
        found += [f"{cell} hides claim: {name}" for name in _aliases(cell)]
    return found


def _aliases(cell: Cell) -> list[str]:
    """Other names under which the cell can call ``claim``."""
    found = []
    for node in ast.walk(cell.tree):
        if isinstance(node, ast.ImportFrom):
            found += [
                f"import {a.name} as {a.asname}"
                for a in node.names
                if a.name == "claim" and a.asname not in (None, "claim")
            ]
        if isinstance(node, ast.Attribute) and node.attr == "claim":
            found.append(ast.unparse(node))
    return found


def unstable(notebook: Notebook) -> list[str]:
    """What is not compared must be judged by a claim."""
    return [
        f"{cell} is not compared (nbval-ignore-output) and feeds no claim"
        for cell in unproven(notebook)
    ]


def sections(notebook: Notebook) -> list[str]:
    """Chapters are alike: readers know where to look."""
    found = []
    heads = re.findall(r"^# .*", notebook.prose, re.MULTILINE)
    if [h.startswith(f"# {notebook.chapter} · ") for h in heads] != [True]:
        found.append(f"the only title must be `# {notebook.chapter} · …`")
    marks = r"^#{2,} (.*)|^[`:]{3,}\{[a-z]+\} (.*)"
    titles = [
        "".join(match).lower()
        for match in re.findall(marks, notebook.prose, re.MULTILINE)
    ]
    places = [_first(titles, section) for section in SECTIONS]
    pairs = list(zip(SECTIONS, places, strict=True))
    found += [f"no section has {s!r} in its title" for s, k in pairs if k < 0]
    if not found and places != sorted(places):
        found.append(f"the order of the sections must be {SECTIONS}")
    return found


def _first(titles: Sequence[str], section: str) -> int:
    hits = [k for k, title in enumerate(titles) if title.startswith(section)]
    return hits[0] if hits else -1


CHECKS: tuple[Check, ...] = (
    counts,
    plain_python,
    outputs,
    metadata,
    parameters,
    widths,
    tags,
    figures,
    pictures,
    explorables,
    claims,
    unstable,
    exercise_problems,
    sections,
)
