"""The registry that makes a false sentence fail the run.

Every statement of the book that can be measured has an id in
``book/claims.yml``.  The cell that measures it ends in ``claim(...)``, which
prints one line and raises if the statement does not hold.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

Verdict = Literal["holds", "holds in part", "corrected", "false"]
GLUE_NAME = "claim:"  # what the name of a glued claim starts with
_PLACES = (
    Path(__file__).with_name("claims.yml"),  # inside an installed wheel
    Path(__file__).parents[1] / "book" / "claims.yml",
)


class ClaimError(AssertionError):
    """A statement of the book did not hold in this run."""


@dataclass(frozen=True)
class Statement:
    """One entry of the registry.

    ``verdict`` is what the course says of the statement as it is usually
    told: it ``holds``, ``holds in part``, is ``corrected`` (the usual
    wording is wrong, ``statement`` is the right one) or is ``false``.
    """

    id: str
    chapter: str
    statement: str
    verdict: Verdict
    usual: str = ""  # how it is often told, where that is wrong


@cache
def registry() -> dict[str, Statement]:
    """All statements by id, in the order of the book."""
    path = next((p for p in _PLACES if p.is_file()), None)
    if path is None:
        raise FileNotFoundError(
            f"the registry of claims is missing; looked at {_PLACES}"
        )
    entries = yaml.safe_load(path.read_text("utf-8"))
    return {key: Statement(id=key, **entry) for key, entry in entries.items()}


@dataclass(frozen=True)
class Claim:
    """A statement together with what this run measured."""

    statement: Statement
    measured: str

    def __str__(self) -> str:
        return f"✓ {self.statement.id}: {self.measured}"

    def _repr_mimebundle_(
        self, **_options: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        bundle = {"text/plain": str(self), "text/html": self._html()}
        # the same mark that ``glue`` leaves, so that the page of evidence
        # can be made from the run
        name = GLUE_NAME + self.statement.id
        return bundle, {"scrapbook": {"name": name, "mime_prefix": ""}}

    def _html(self) -> str:
        key = self.statement.id
        return (
            f'<div class="course-claim" id="claim-{key}">'
            f'<span class="course-claim-mark">✓</span> '
            f"<code>{key}</code> "
            f'<span class="course-claim-text">'
            f"{html.escape(self.statement.statement)}</span> "
            f'<span class="course-claim-measured">'
            f"{html.escape(self.measured)}</span></div>"
        )


def claim(key: str, measured: str, holds: Any) -> None:
    """State that a claim of the registry holds, with what was measured.

    ``key`` is an id of ``book/claims.yml``, ``measured`` a short text with
    the numbers, ``holds`` the truth value of the comparison (a ``bool``, or
    a NumPy or PyTorch boolean without axes).

    Prints one line (in a notebook, a box).  Raises ``KeyError`` for an
    unknown id, ``TypeError`` if ``holds`` is no truth value or ``measured``
    no text, and ``ClaimError`` if the claim does not hold.
    """
    if key not in registry():
        raise KeyError(
            f"no claim {key!r} in book/claims.yml; add it there first, or "
            f"use one of: {', '.join(registry())}"
        )
    if not isinstance(measured, str) or not measured.strip():
        raise TypeError(
            f"claim {key!r}: measured must be a text with the numbers, "
            f"not {measured!r}"
        )
    statement = registry()[key]
    if not _truth(key, holds):
        raise ClaimError(
            f"claim {key!r} does not hold\n"
            f"  stated:   {statement.statement}\n"
            f"  measured: {measured}"
        )
    _publish(Claim(statement, measured))


def _truth(key: str, holds: Any) -> bool:
    """``holds`` as a bool; a number or None is a mistake, not a truth."""
    if isinstance(holds, bool):
        return holds
    dtype = str(getattr(holds, "dtype", ""))
    if dtype.removeprefix("torch.") == "bool" and holds.ndim == 0:
        return bool(holds)
    raise TypeError(
        f"claim {key!r}: holds must be True or False, not {holds!r}; "
        "reduce an array with .all() first"
    )


def _publish(result: Claim) -> None:
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        print(result)
        return
    if get_ipython() is None:
        print(result)
    else:
        display(result)
