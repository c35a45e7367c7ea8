"""The notebooks as they are stored, and the names that hold the book."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from nlp_course.exercises import exercises
from tests.notebooks import book
from tests.notebooks.cells import Notebook, read
from tests.notebooks.checks import CHECKS, Check
from tools.build_book import pages

ROOT = Path(__file__).parents[2]
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SKIPPED = {"_build", "vendor", "dist", "__pycache__"}
SHOWN = {".ci", ".github", ".gitattributes", ".gitignore"}
TEXTS = {
    *("", ".bib", ".cff", ".cfg", ".css", ".ipynb", ".js", ".md", ".po"),
    *(".py", ".svg", ".toml", ".txt", ".yml", ".yaml"),
}
# Written in pieces, so that this file does not hold them.
HOSTS = ("pypi|org", "pythonhosted|org", "npmjs|org", "anaconda|org")
OWN = r"(?<![\w.~:/-])/(?:home(?!/someone)|root|Users|work|tmp)/\w"
UNWANTED = {
    "a note of something undone": r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b",
    "a path of one machine": OWN,
    "a package host": "|".join(h.replace("|", r"\.") for h in HOSTS),
}

read_once = cache(read)


def notebooks() -> list[Notebook]:
    """All notebooks, in their order."""
    return [read_once(path) for path in PATHS]


def prose() -> dict[str, str]:
    """The text of every notebook and page, by the name of its file."""
    texts = {f"{n.name}.ipynb": n.prose for n in notebooks()}
    for path in sorted((ROOT / "book").glob("*.md")):
        texts[path.name] = path.read_text("utf-8")
    return texts


def modules() -> dict[str, str]:
    """The text of every module of the package."""
    paths = sorted((ROOT / "nlp_course").rglob("*.py"))
    return {str(p.relative_to(ROOT)): p.read_text("utf-8") for p in paths}


def project_files(folder: Path = ROOT) -> Iterator[Path]:
    """The files that the project wrote itself."""
    for path in sorted(folder.iterdir()):
        hidden = path.name.startswith(".") and path.name not in SHOWN
        if hidden or path.name in SKIPPED:
            continue
        if path.is_dir():
            yield from project_files(path)
        elif path.suffix in TEXTS:
            yield path


def unwanted(text: str) -> list[str]:
    """What a text says that no file of the project should."""
    return [
        f"{what}: {match[0]}"
        for what, pattern in UNWANTED.items()
        for match in re.finditer(pattern, text)
    ]


def none(found: list[str]) -> None:
    """Fail with the complaints, one a line."""
    assert not found, "\n".join(["", *found])


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_notebook_is_sound(path: Path, check: Check) -> None:
    none([f"{path.name}, {what}" for what in check(read_once(path))])


def test_there_are_notebooks() -> None:
    assert PATHS


def test_every_notebook_is_in_the_book() -> None:
    listed = [page.name for page in pages(ROOT)]
    none(book.contents_problems(listed, [path.stem for path in PATHS]))


def test_every_entry_of_the_contents_is_a_file() -> None:
    none([page.name for page in pages(ROOT) if page.source is None])


def test_figures_are_named_once_and_spoken_of() -> None:
    none(book.figure_problems(notebooks(), prose().values()))


def test_equations_are_named_once_and_every_reference_is_to_one() -> None:
    none(book.equation_problems(prose(), modules()))


def test_claims_are_registered_and_made_once() -> None:
    registry = yaml.safe_load((ROOT / "book/claims.yml").read_text("utf-8"))
    none(book.claim_problems(notebooks(), registry))


def test_every_exercise_has_a_check_and_every_check_an_exercise() -> None:
    none(book.graded_problems(notebooks(), exercises()))


def test_no_file_speaks_of_one_machine_or_of_work_left() -> None:
    none(
        [
            f"{path.relative_to(ROOT)}: {what}"
            for path in project_files()
            for what in unwanted(path.read_text("utf-8"))
        ]
    )
