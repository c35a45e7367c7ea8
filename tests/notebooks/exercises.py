"""The exercises of a chapter: task, stub and solution, each in its place."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from tests.notebooks.cells import (
    Cell,
    Notebook,
    argument,
    called,
    constant,
    statements,
)

LEVELS = 3  # predict, derive, build
_MARKS = re.compile(
    r"^[`:]{3,}\{exercise\}.*\n(?::(?!label).*\n)*:label: *(?P<task>\S+)"
    r"|^[`:]{3,}\{solution-start\} *(?P<start>\S+)(?P<options>(?:\n:.*)*)"
    r"|^[`:]{3,}\{(?P<end>solution-end)\}",
    re.MULTILINE,
)


@dataclass
class Exercise:
    """One exercise, as it was found between the cells."""

    label: str
    stub: list[Cell] = field(default_factory=list)
    solution: list[Cell] = field(default_factory=list)
    solved: bool = False  # whether a solution begins at all
    folded: bool = False  # whether it is hidden at first

    @property
    def key(self) -> str:
        """The name of its check."""
        return self.label.removeprefix("ex-")


@dataclass
class _Reader:
    """Walks through a notebook and sorts its code cells."""

    found: dict[str, Exercise] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    place: list[Cell] | None = None  # where the next code cell belongs
    inside: bool = False  # a solution

    def prose(self, text: str) -> None:
        for mark in _MARKS.finditer(text):
            if mark["task"]:
                self._task(mark["task"])
            elif mark["start"]:
                self._start(mark["start"], ":class: dropdown" in mark[0])
            else:
                self._end()

    def _task(self, label: str) -> None:
        if label in self.found:
            self.problems.append(f"two exercises {label}")
        self.found[label] = Exercise(label)
        self.place = self.found[label].stub

    def _start(self, label: str, folded: bool) -> None:
        if label not in self.found or self.inside:
            self.problems.append(f"the solution of {label} is out of place")
        exercise = self.found.setdefault(label, Exercise(label))
        exercise.solved, exercise.folded = True, folded
        self.place, self.inside = exercise.solution, True

    def _end(self) -> None:
        if not self.inside:
            self.problems.append("a solution ends that did not begin")
        self.place, self.inside = None, False


def _read(notebook: Notebook) -> _Reader:
    reader = _Reader()
    for cell in notebook.cells:
        if not cell.is_code:
            reader.prose(cell.source)
        elif reader.place is not None:
            reader.place.append(cell)
    if reader.inside:
        reader.problems.append("the last solution does not end")
    return reader


def exercises(notebook: Notebook) -> list[Exercise]:
    """The exercises of a notebook, in their order."""
    return list(_read(notebook).found.values())


def grades(call: ast.AST, key: str) -> bool:
    """Whether this is the call ``grade(key, …)``."""
    if not isinstance(call, ast.Call) or called(call) != "grade":
        return False
    return bool(constant(argument(call, 0, "key")) == key)


def requires(call: ast.AST, key: str) -> bool:
    """Whether this is ``grade(key, …).require()``."""
    return (
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "require"
        and grades(call.func.value, key)
    )


def exercise_problems(notebook: Notebook) -> list[str]:
    """A stub is refused, a hidden solution is there and is right."""
    reader = _read(notebook)
    found = list(reader.problems)
    for exercise in reader.found.values():
        label = exercise.label
        if not label.startswith(f"ex-{notebook.chapter}-"):
            found.append(f"{label} must be called ex-{notebook.chapter}-…")
        found += [f"{label}: {what}" for what in _stub(exercise)]
        found += [f"{label}: {what}" for what in _solution(exercise)]
    number = len(reader.found)
    if number < LEVELS:
        found.append(f"{number} exercises, not {LEVELS} or more")
    return found


def _stub(exercise: Exercise) -> list[str]:
    cells = [
        cell
        for cell in exercise.stub
        if any(grades(node, exercise.key) for node in statements(cell))
    ]
    if len(cells) != 1:
        return [f'needs one stub with grade("{exercise.key}", …)']
    (cell,) = cells
    if not any(text.startswith("✗") for text in cell.texts):
        return [f"{cell} is not refused (its output must begin with ✗)"]
    return []


def _solution(exercise: Exercise) -> list[str]:
    if not exercise.solved:
        return ["has no solution"]
    found = []
    if not exercise.folded:
        found.append("the solution needs `:class: dropdown`")
    calls = [node for cell in exercise.solution for node in statements(cell)]
    if not any(requires(call, exercise.key) for call in calls):
        found.append(f'needs grade("{exercise.key}", …).require()')
    return found
