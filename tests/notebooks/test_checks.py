"""Each check of the notebooks must find the fault that it is there for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.notebooks import book, checks, figures, samples
from tests.notebooks.cells import Notebook
from tests.notebooks.checks import CHECKS, Check
from tests.notebooks.dataflow import unproven
from tests.notebooks.exercises import exercise_problems
from tests.notebooks.samples import at, code, notebook, spoilt
from tests.notebooks.test_hygiene import unwanted

CLAIM = 'claim("text-falls", f"to {mean}", mean < 1)'
SHOW = 'show(fig, "A curve falls.")'
STUB = 'answer = None\ngrade("00-build", answer)'
SOLVED = 'grade("00-build", 7).require()'
PARAMETERS = 'seed = 0  # any\nscale = "quick"'
REGISTRY = {"text-falls": {"chapter": samples.NAME}}
NAMES = ("curve", "slider")
TASK = ":label: ex-"
START = "```{solution-start} ex-00-build"
KEYS = ["00-predict", "00-derive", "00-build"]

# check, what it says, the old text in a cell, the new one
FAULTS = [
    (checks.plain_python, "plain Python", "mean = sum(loss)", "%time sum"),
    (checks.plain_python, "plain Python", "mean = sum(loss)", "!ls"),
    (checks.parameters, "literal", "seed = 0", "seed = 0\nn = seed"),
    (checks.parameters, "assignments", "seed = 0", "seed = 0\nprint(1)"),
    (checks.parameters, "must set seed", "seed = 0", "n = 0"),
    (checks.parameters, "must set seed", "seed = 0", "seed = True"),
    (checks.parameters, "must set seed", '"quick"', '"full"'),
    (checks.widths, "80 characters", SHOW, SHOW + " # ".ljust(53, "x")),
    (figures.figures, "without a description", SHOW, "show(fig)"),
    (figures.figures, "empty description", SHOW, 'show(fig, " ")'),
    (figures.figures, "does not end", SHOW, SHOW + "\nprint(1)"),
    (figures.figures, "more than one", SHOW, f"{SHOW}\n{SHOW}"),
    (figures.figures, "shows none", SHOW, "fig"),
    (figures.figures, "needs mystnb", "fig = draw(mean)", 'show(a, "b")'),
    (figures.pictures, "plt.show", "fig = draw(mean)", "plt.show()"),
    (figures.explorables, "explore", "explore(draw, alt", "show(draw, alt"),
    (checks.claims, "of its own", CLAIM, f"if mean:\n    {CLAIM}"),
    (
        checks.claims,
        "of its own",
        CLAIM,
        f"try:\n    {CLAIM}\nexcept Exception:\n    pass",
    ),
    (checks.claims, "of its own", CLAIM, CLAIM.replace("claim", "x = claim")),
    (checks.claims, "of its own", CLAIM, f"say = claim\n{CLAIM}"),
    (checks.claims, "last of a cell", CLAIM, f"{CLAIM}\nprint(1)"),
    (checks.claims, "literal id", '"text-falls"', 'f"text-{mean}"'),
    (checks.claims, "hides claim", CLAIM, "from a import claim as c"),
    (checks.claims, "hides claim", CLAIM, CLAIM.replace("claim", "a.claim")),
    (checks.unstable, "feeds no claim", "mean = sum(loss)", "mean = 3"),
    (checks.unstable, "feeds no claim", CLAIM, 'claim("text-falls", "", 1)'),
    (checks.unstable, "feeds no claim", CLAIM, f"mean = 2\n{CLAIM}"),
    (
        checks.unstable,
        "feeds no claim",
        "sum(loss)",
        "sum(loss for loss in x)",
    ),
    (checks.sections, "only title", "# 00 · From", "# 01 · From"),
    (checks.sections, "only title", "## Exercises", "# Exercises"),
    (checks.sections, "'explore'", "## Explore", "## Look"),
    (checks.sections, "'common slip'", "## Common slips", "## More"),
    (checks.sections, "order", "## Exercises", "## Summary\n## Exercises"),
    (exercise_problems, "one stub", STUB, "answer = None"),
    (exercise_problems, "one stub", STUB, f"if 0:\n    {STUB[14:]}"),
    (exercise_problems, "require", SOLVED, 'grade("00-build", 7)'),
    (exercise_problems, "require", SOLVED, 'grade("00-derive", 7).require()'),
    (exercise_problems, "require", SOLVED, f"if 0:\n    {SOLVED}"),
    (exercise_problems, "called ex-00", f"{TASK}00-build", f"{TASK}01-build"),
    (exercise_problems, "out of place", f"{TASK}00-build", ":number: 3"),
    (
        exercise_problems,
        "two exercises",
        TASK + "00-build",
        TASK + "00-derive",
    ),
    (exercise_problems, "no solution", START, "Solution"),
    (exercise_problems, "dropdown", START + "\n:class: dropdown", START),
    (exercise_problems, "out of place", START, START + "s"),
]
PICTURE = {"output_type": "display_data", "data": {"image/png": "x"}}
HTML = {"output_type": "display_data", "data": {"text/html": "x"}}
STDERR = {"output_type": "stream", "name": "stderr", "text": "x"}
WIDE = {"output_type": "stream", "name": "stdout", "text": ["x" * 80]}
ERROR = {"output_type": "error", "ename": "E", "evalue": ""}

# check, what it says, the cell, the field of the file, its new value
STORED: list[tuple[Check, str, str, str, Any]] = [
    (checks.counts, "None", CLAIM, "execution_count", None),
    (checks.counts, "12", CLAIM, "execution_count", 12),
    (checks.outputs, "image/png", SHOW, "outputs", [PICTURE]),
    (checks.outputs, "text/html", SHOW, "outputs", [HTML]),
    (checks.outputs, "stderr", SHOW, "outputs", [STDERR]),
    (checks.outputs, "an error", SHOW, "outputs", [ERROR]),
    (checks.widths, "80 characters", SHOW, "outputs", [WIDE]),
    (checks.metadata, "editable", CLAIM, "metadata", {"editable": True}),
    (checks.tags, "'skip'", CLAIM, "metadata", {"tags": ["skip"]}),
    (checks.parameters, "first code", PARAMETERS, "metadata", {}),
    (checks.parameters, "no other", CLAIM, "metadata", samples.PARAMETERS),
    (figures.figures, "needs mystnb", SHOW, "metadata", {}),
    (exercise_problems, "not refused", STUB, "outputs", []),
]


def name_of(value: object) -> str:
    """A name for a check in the name of a test."""
    return getattr(value, "__name__", "")


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
def test_a_sound_notebook_passes(check: Check) -> None:
    assert check(notebook()) == []


@pytest.mark.parametrize(("check", "says", "old", "new"), FAULTS)
def test_a_fault_in_a_cell_is_found(
    check: Check, says: str, old: str, new: str
) -> None:
    found = check(spoilt(old, new))
    assert any(says in line for line in found), found


@pytest.mark.parametrize(("check", "says", "source", "key", "value"), STORED)
def test_a_fault_in_the_file_is_found(
    check: Check, says: str, source: str, key: str, value: Any
) -> None:
    changed = samples.cells()
    changed[at(source)][key] = value
    found = check(notebook(changed))
    assert any(says in line for line in found), found


def test_every_check_has_a_fault_that_it_finds() -> None:
    proven = {check for check, *_ in [*FAULTS, *STORED]}
    assert proven == set(CHECKS)


def test_the_metadata_of_the_notebook_are_looked_at() -> None:
    raw = {**notebook().raw, "metadata": {"authors": []}}
    assert checks.metadata(Notebook(samples.NAME, raw))


def test_a_missing_exercise_is_found() -> None:
    changed = samples.cells()
    first = at(STUB) - 1
    del changed[first : first + 5]
    found = exercise_problems(notebook(changed))
    assert found == ["2 exercises, not 3 or more"]


def test_a_solution_that_does_not_end_is_found() -> None:
    found = exercise_problems(notebook(samples.cells()[:-2]))
    assert found == ["the last solution does not end"]


TRAINED = code("log = train()\nprint(log)", "nbval-ignore-output")


@pytest.mark.parametrize(
    "rest",
    [
        ["claim('a', '', log)"],
        ["best = log.best", "claim('a', '', best)"],
        ["def best():\n    return log", "claim('a', '', best())"],
        ["best = [x for x in range(log)]", "claim('a', '', best)"],
        ["for x in log:\n    best = x", "claim('a', '', best)"],
        ["log += 1", "claim('a', '', log)"],
        ["log = log + 1", "claim('a', '', log)"],
        ["other = 1", "print(log)", "claim('a', '', log)"],
    ],
)
def test_a_result_that_reaches_a_claim_is_proven(rest: list[str]) -> None:
    assert not unproven(notebook([TRAINED, *map(code, rest)]))


@pytest.mark.parametrize(
    "rest",
    [
        [],
        ["best = log"],
        ["claim('a', '', other)"],
        ["log = 2", "claim('a', '', log)"],
        ["def f(log):\n    return log", "claim('a', '', f(1))"],
        ["best = [log for log in x]", "claim('a', '', best)"],
        ["for log in x:\n    best = log", "claim('a', '', best)"],
        ["import a as log", "claim('a', '', log)"],
        ["claim('a', '', 1)", "print(log)"],
    ],
)
def test_a_result_that_reaches_no_claim_is_found(rest: list[str]) -> None:
    lost = unproven(notebook([TRAINED, *map(code, rest)]))
    assert [cell.number for cell in lost] == [1]


def test_a_picture_of_a_judged_result_is_proven_and_no_other() -> None:
    judged = code("draw(log)", "nbval-ignore-output")
    other = code("draw(noise)", "nbval-ignore-output")
    found = [TRAINED, judged, other, code("claim('a', '', log)")]
    assert [cell.number for cell in unproven(notebook(found))] == [3]


def test_the_names_of_figures_are_looked_at() -> None:
    chapter = notebook()
    assert book.figure_problems([chapter], [chapter.prose]) == []
    assert len(book.figure_problems([chapter], ["{numref}`fig-curve`"])) == 1
    assert len(book.figure_problems([chapter], [])) == 2
    twins = book.figure_problems([chapter, chapter], [chapter.prose])
    assert twins == [f"two figures are called fig-{n}" for n in NAMES]


def test_the_names_of_equations_are_looked_at() -> None:
    texts = {"00": notebook().prose}
    assert book.equation_problems(texts, {"a.py": ":eq:`eq-c`"}) == []
    assert book.equation_problems(texts, {"a.py": ":eq:`eq-no`"})
    assert book.equation_problems({**texts, "01": "{eq}`eq-no`"}, {})
    assert len(book.equation_problems({**texts, "01": texts["00"]}, {})) == 2


def test_the_registry_of_claims_is_looked_at() -> None:
    chapter = notebook()
    elsewhere = {"text-falls": {"chapter": "01_rnn"}}
    more = {**REGISTRY, "text-new": {"chapter": samples.NAME}}
    planned = {**REGISTRY, "rnn-new": {"chapter": "01_rnn"}}
    assert book.claim_problems([chapter], REGISTRY) == []
    assert book.claim_problems([chapter], planned) == []
    (missing,) = book.claim_problems([chapter], {})
    assert "not in book/claims.yml" in missing
    (moved,) = book.claim_problems([chapter], elsewhere)
    assert "belongs to 01_rnn" in moved
    (unused,) = book.claim_problems([chapter], more)
    assert "never claims it" in unused
    (double,) = book.claim_problems([chapter, chapter], REGISTRY)
    assert "more than once" in double


def test_the_checks_of_exercises_are_looked_at() -> None:
    chapter = notebook()
    assert book.graded_problems([chapter], KEYS) == []
    assert book.graded_problems([chapter], KEYS[:2]) == [
        "00-build has no check"
    ]
    assert book.graded_problems([chapter], [*KEYS, "00-more"]) == [
        "no notebook asks 00-more"
    ]
    assert len(book.graded_problems([chapter, chapter], KEYS)) == 3


def test_the_table_of_contents_is_looked_at() -> None:
    listed = ["book/intro", "notebooks/00"]
    assert book.contents_problems(listed, ["00"]) == []
    assert book.contents_problems(listed, []) == ["notebooks/00 is no file"]
    assert book.contents_problems(listed, ["00", "01"]) == [
        "notebooks/01 is not listed"
    ]
    assert book.contents_problems([*listed, listed[1]], ["00"])


UNWANTED = (
    "# TO" + "DO",
    "FIX" + "ME:",
    "/ho" + "me/me/x",
    "(/wo" + "rk/x)",
    "see pypi" + ".org",
    "at files.pythonhosted" + ".org",
)


@pytest.mark.parametrize("text", UNWANTED)
def test_what_no_file_should_say_is_found(text: str) -> None:
    assert unwanted(text)


@pytest.mark.parametrize("text", ["autodoc", "a/work/b", "/home/someone/x"])
def test_what_a_file_may_say_is_not(text: str) -> None:
    assert unwanted(text) == []
