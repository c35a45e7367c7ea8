"""A stored notebook as the checks see it: cells with names and syntax."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Cell:
    """One cell; ``number`` is its place in the notebook, from 1."""

    number: int
    raw: Mapping[str, Any]

    @cached_property
    def source(self) -> str:
        """The text, which a file may store in pieces."""
        return joined(self.raw["source"])

    @property
    def is_code(self) -> bool:
        """Whether the cell is run."""
        return str(self.raw["cell_type"]) == "code"

    @property
    def tags(self) -> list[str]:
        """The tags, in the order of the file."""
        return list(self.raw["metadata"].get("tags", []))

    @property
    def figure(self) -> Mapping[str, str]:
        """What the metadata say of the cell's figure; empty if nothing."""
        mystnb = self.raw["metadata"].get("mystnb", {})
        figure: Mapping[str, str] = mystnb.get("figure", {})
        return figure

    @property
    def texts(self) -> list[str]:
        """The stored outputs, as text."""
        outputs = self.raw.get("outputs", [])
        pieces = [o.get("text", o.get("data", {})) for o in outputs]
        return [
            joined(p.get("text/plain", "") if isinstance(p, dict) else p)
            for p in pieces
        ]

    @property
    def printed(self) -> str:
        """What the cell printed."""
        outputs = self.raw.get("outputs", [])
        return "".join(joined(o["text"]) for o in outputs if "text" in o)

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax; an empty module if it is not plain Python."""
        try:
            return ast.parse(self.source)
        except SyntaxError:
            return ast.Module([], [])

    def calls(self, *functions: str) -> list[ast.Call]:
        """The calls of a function by its bare name, in their order."""
        return [
            node
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Call) and called(node) in functions
        ]

    def __str__(self) -> str:
        first = next(iter(self.source.strip().splitlines()), "")
        return f"cell {self.number} (`{first[:50]}`)"


@dataclass(frozen=True)
class Notebook:
    """A notebook by the name of its file, without the ending."""

    name: str
    raw: Mapping[str, Any]

    @cached_property
    def cells(self) -> list[Cell]:
        """All cells."""
        return [Cell(k, raw) for k, raw in enumerate(self.raw["cells"], 1)]

    @property
    def code(self) -> list[Cell]:
        """The cells that are run."""
        return [cell for cell in self.cells if cell.is_code]

    @property
    def prose(self) -> str:
        """The text between the code, with the captions of the figures."""
        texts = [
            cell.figure.get("caption", "") if cell.is_code else cell.source
            for cell in self.cells
        ]
        return "\n\n".join(texts)

    @property
    def chapter(self) -> str:
        """The number of the chapter, two digits."""
        return self.name.partition("_")[0]


def joined(text: Any) -> str:
    """A text that may be stored as a list of lines."""
    return text if isinstance(text, str) else "".join(text)


def read(path: Path) -> Notebook:
    """Read a notebook from its file."""
    return Notebook(path.stem, json.loads(path.read_text("utf-8")))


def called(node: ast.AST) -> str:
    """The bare name that a call calls; empty for anything else."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id
    return ""


def constant(node: ast.AST | None) -> Any:
    """The value of a literal; None for anything else."""
    return node.value if isinstance(node, ast.Constant) else None


def argument(call: ast.Call, place: int, name: str) -> ast.expr | None:
    """An argument of a call, given by its place or by its name."""
    if place < len(call.args):
        return call.args[place]
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    return named.get(name)


def statements(cell: Cell) -> Iterator[ast.AST]:
    """The expressions that are statements of the cell itself."""
    for statement in cell.tree.body:
        if isinstance(statement, ast.Expr):
            yield statement.value
