"""How an answer is checked, whatever the exercise."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import torch
from torch import Tensor

from nlp_course.checks import shape_of

Check = Callable[[Any], str]

_CHECKS: dict[str, Check] = {}


class WrongAnswer(Exception):
    """Raised by a check; its text tells the reader what to look at."""


class NotSolvedError(AssertionError):
    """An answer that had to be right was not."""


@dataclass(frozen=True)
class Grade:
    """The verdict on one answer."""

    exercise: str
    passed: bool
    message: str

    def __str__(self) -> str:
        mark = "✓" if self.passed else "✗"
        return f"{mark} {self.exercise}: {self.message}"

    def __repr__(self) -> str:
        return str(self)

    def require(self) -> Grade:
        """Raise ``NotSolvedError`` unless the answer was right."""
        if not self.passed:
            raise NotSolvedError(str(self))
        return self

    def _repr_mimebundle_(self, **_options: Any) -> dict[str, str]:
        state = "right" if self.passed else "open"
        text = html.escape(str(self))
        body = f'<div class="course-grade course-grade-{state}">{text}</div>'
        return {"text/plain": str(self), "text/html": body}


def exercise(key: str) -> Callable[[Check], Check]:
    """Register a check: it returns praise or raises ``WrongAnswer``."""

    def register(check: Check) -> Check:
        if key in _CHECKS:
            raise ValueError(f"two checks for exercise {key!r}")
        _CHECKS[key] = check
        return check

    return register


def exercises() -> dict[str, Check]:
    """All checks by the id of their exercise."""
    folder = Path(__file__).parent
    for module in iter_modules([str(folder)]):
        import_module(f"nlp_course.exercises.{module.name}")
    return _CHECKS


def grade(key: str, answer: Any) -> Grade:
    """Check an answer to the exercise ``key``.

    Raises ``KeyError``, with the known ids, if there is no such exercise.
    Whatever is wrong with the answer itself becomes part of the verdict.
    """
    checks = exercises()
    if key not in checks:
        raise KeyError(f"no exercise {key!r}; there are {', '.join(checks)}")
    if answer is None or answer is ...:
        return Grade(key, False, "not answered yet")
    try:
        return Grade(key, True, checks[key](answer))
    except WrongAnswer as wrong:
        return Grade(key, False, str(wrong))
    except NotImplementedError:
        return Grade(key, False, "not answered yet")
    except Exception as error:
        kind = type(error).__name__
        return Grade(key, False, f"your code raised {kind}: {error}")


def expect_several(answer: Any, count: int, *, say: str) -> None:
    """Refuse anything but a tuple or list of so many answers."""
    if not isinstance(answer, tuple | list) or len(answer) != count:
        raise WrongAnswer(say)


def expect_number(answer: Any, right: float, *, hint: str) -> None:
    """Refuse anything but this number (to a thousandth of its size)."""
    if isinstance(answer, bool) or not isinstance(answer, int | float):
        raise WrongAnswer(f"give a number, not {answer!r}")
    if not abs(answer - right) <= 1e-3 * abs(right) + 1e-9:
        raise WrongAnswer(f"{answer:g} is not it; {hint}")


def expect_choice(
    answer: Any, choices: tuple[str, ...], right: str, *, hint: str
) -> None:
    """Refuse anything but the right one of several choices."""
    if answer not in choices:
        raise WrongAnswer(f"choose one of {', '.join(choices)}")
    if answer != right:
        raise WrongAnswer(f"{answer!r} is not it; {hint}")


def expect_tensor(found: Any, wanted: Tensor, *, what: str) -> None:
    """Refuse a result of another type, shape or value."""
    if found is None or found is ...:
        raise WrongAnswer("not answered yet: the function returned nothing")
    if not isinstance(found, Tensor):
        kind = type(found).__name__
        raise WrongAnswer(f"{what} must be a tensor, not {kind}")
    if found.shape != wanted.shape:
        raise WrongAnswer(
            f"{what} has shape {shape_of(found)}, "
            f"but should have {shape_of(wanted)}"
        )
    gap = (found.detach().double() - wanted.detach().double()).abs()
    gap = gap.max() if gap.numel() else gap.new_zeros(())
    if not torch.isfinite(gap) or gap > 1e-6:
        raise WrongAnswer(f"{what} is off by up to {gap.item():.2g}")
