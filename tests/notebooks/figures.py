"""The pictures of a notebook: numbered, described, shown in one way."""

from __future__ import annotations

import ast

from tests.notebooks.cells import Cell, Notebook, argument, called


def figures(notebook: Notebook) -> list[str]:
    """A picture has a number, a caption and a description in words."""
    found = []
    for cell in notebook.code:
        shown = cell.calls("show", "explore")
        if shown and called(last(cell)) not in ("show", "explore"):
            found.append(f"{cell} does not end in its picture")
        if len(shown) > 1:
            found.append(f"{cell} has more than one picture")
        named = cell.figure.get("name", "").startswith("fig-")
        complete = named and cell.figure.get("caption", "").strip()
        if shown and not complete:
            found.append(f"{cell} needs mystnb.figure: caption, name: fig-…")
        if cell.figure and not shown:
            found.append(f"{cell} is named as a figure but shows none")
        found += [f"{cell}: {c}" for call in shown for c in _described(call)]
    return found


def last(cell: Cell) -> ast.AST:
    """The value that a cell shows, or its last statement."""
    body = cell.tree.body
    end: ast.AST = body[-1] if body else cell.tree
    return end.value if isinstance(end, ast.Expr) else end


def _described(call: ast.Call) -> list[str]:
    alt = argument(call, 1, "alt")
    if alt is None:
        return [f"{called(call)} without a description"]
    if isinstance(alt, ast.Constant) and not str(alt.value).strip():
        return [f"{called(call)} with an empty description"]
    return []


def pictures(notebook: Notebook) -> list[str]:
    """There is one way to show a picture."""
    return [
        f"{cell} shows a picture with {ast.unparse(node)}; use show(…)"
        for cell in notebook.code
        for node in ast.walk(cell.tree)
        if isinstance(node, ast.Attribute) and node.attr == "show"
    ]


def explorables(notebook: Notebook) -> list[str]:
    """Every chapter has something to explore."""
    if any(cell.calls("explore") for cell in notebook.code):
        return []
    return ["the chapter has no explore(…)"]
