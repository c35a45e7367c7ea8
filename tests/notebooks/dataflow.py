"""Which cells feed a claim: names followed from cell to cell."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator
from dataclasses import dataclass

from tests.notebooks.cells import Cell, Notebook

NOT_COMPARED = "nbval-ignore-output"
# A value comes before the names that these statements bind.
VALUE_FIRST = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr)


@dataclass(frozen=True)
class Names:
    """What a cell takes from the cells before it, and what it binds."""

    used: frozenset[str]
    bound: frozenset[str]


def names(cell: Cell) -> Names:
    """Find the names that a cell uses and binds, in their order."""
    used: set[str] = set()
    bound: set[str] = set()
    for statement in cell.tree.body:
        text = ast.unparse(statement)
        table = symtable.symtable(text, str(cell), "exec")
        own = table.get_symbols()
        stored = {
            symbol.get_name()
            for symbol in own
            if symbol.is_assigned() or symbol.is_imported()
        }
        read = {symbol.get_name() for symbol in own if symbol.is_referenced()}
        read |= set(_globals(table))
        if isinstance(statement, ast.AugAssign):
            read |= stored
        if not isinstance(statement, VALUE_FIRST):
            read -= stored
        used |= read - bound
        bound |= stored
    return Names(frozenset(used), frozenset(bound))


def _globals(table: symtable.SymbolTable) -> Iterator[str]:
    """The names that functions and comprehensions take from outside."""
    for child in table.get_children():
        for symbol in child.get_symbols():
            if symbol.is_global():
                yield symbol.get_name()
        yield from _globals(child)


def fed_names(cells: list[Cell]) -> list[set[str]]:
    """After each cell, the names whose values reach a claim later on."""
    wanted: set[str] = set()
    after: list[set[str]] = []
    for cell in reversed(cells):
        after.append(set(wanted))
        found = names(cell)
        feeds = bool(cell.calls("claim") or found.bound & wanted)
        wanted -= found.bound
        if feeds:
            wanted |= found.used
    return after[::-1]


def unproven(notebook: Notebook) -> list[Cell]:
    """The cells that are not compared and have no part in any claim.

    Such a cell makes a claim itself, or binds a name that reaches one, or
    shows a name that comes from such a cell and that a claim uses as well.
    """
    judged: set[str] = set()  # uncompared results that a claim looks at
    lost = []
    pairs = zip(notebook.code, fed_names(notebook.code), strict=True)
    for cell, wanted in pairs:
        found = names(cell)
        results = found.bound & wanted
        proven = cell.calls("claim") or results or found.used & judged
        judged -= found.bound
        if NOT_COMPARED in cell.tags:
            if not proven:
                lost.append(cell)
            judged |= results
    return lost
