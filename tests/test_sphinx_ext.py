"""What the build trusts, what it makes anew, and the tables from the run."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from sphinx.testing.util import SphinxTestApp

from nlp_course import sphinx_ext
from nlp_course.claims import Claim, Statement
from nlp_course.executed import fingerprint
from nlp_course.sphinx_ext import STAMP

INPUTS = {
    "nlp_course/__init__.py": "",
    "nlp_course/data/tasks.py": "words = 3\n",
    "book/claims.yml": "a: {}\n",
    "constraints.txt": "torch==2\n",
}
OTHERS = [
    "book/intro.md",
    "tests/test_a.py",
    "notebooks/00_a.ipynb",
    "nlp_course/notes.txt",
    "README.md",
]


def write(root: Path, name: str, content: str = "") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, "utf-8")
    return path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one file of each kind that results depend on."""
    root = tmp_path / "project"
    for name, content in INPUTS.items():
        write(root, name, content)
    return root


# --- the fingerprint --------------------------------------------------------


@pytest.mark.parametrize("name", INPUTS)
def test_what_results_depend_on_changes_the_fingerprint(
    project: Path, name: str
) -> None:
    before = fingerprint(project)
    path = project / name
    path.write_text(path.read_text() + "# changed\n")
    changed = fingerprint(project)
    path.rename(path.with_name("other.py"))
    renamed = fingerprint(project)
    assert len({before, changed, renamed}) == 3


def test_a_new_module_changes_the_fingerprint(project: Path) -> None:
    before = fingerprint(project)
    write(project, "nlp_course/display/new.py")
    assert fingerprint(project) != before


def test_another_python_changes_the_fingerprint(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fingerprint(project)
    monkeypatch.setattr(platform, "python_version", lambda: "3.99.0")
    assert fingerprint(project) != before


def test_nothing_else_changes_the_fingerprint(
    project: Path, tmp_path: Path
) -> None:
    before = fingerprint(project)
    for name in OTHERS:
        write(project, name, "anything")
    os.utime(project / "constraints.txt", (0, 0))
    assert fingerprint(project) == before
    moved = project.rename(tmp_path / "elsewhere")
    assert fingerprint(moved) == before, "it must not know where it lies"


# --- the cache and the stamp ------------------------------------------------


class Build:
    """As much of Sphinx as ``guard_cache`` and ``keep_stamp`` look at."""

    def __init__(self, project: Path) -> None:
        self.root = project
        self.app: Any = SimpleNamespace(
            srcdir=project,
            outdir=project / "_build" / "html",
            doctreedir=project / "_build" / ".doctrees",
            _warncount=0,
        )
        self.executed = project / "_build" / ".jupyter_cache" / "run"
        self.pages = project / "_build" / ".doctrees" / "environment.pickle"
        self.stamp = project / "_build" / STAMP

    def start(self) -> bool:
        """Begin a build; return whether everything is executed afresh."""
        sphinx_ext.guard_cache(self.app, None)
        stale: bool = self.app._course_stale
        assert self.executed.exists() <= (not stale)
        for path in (self.executed, self.pages):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("left by a build")
        return stale

    def end(self, warnings: int = 0, error: Exception | None = None) -> None:
        self.app._warncount = warnings
        sphinx_ext.keep_stamp(self.app, error)


@pytest.fixture
def build(project: Path) -> Build:
    """Builds of the small project."""
    return Build(project)


def test_the_first_build_executes_and_the_second_does_not(
    build: Build,
) -> None:
    assert build.start()
    build.end()
    assert build.stamp.read_text() == fingerprint(build.root)
    assert not build.start()
    assert build.executed.exists()


@pytest.mark.parametrize("name", INPUTS)
def test_a_change_makes_the_next_build_execute(
    build: Build, name: str
) -> None:
    build.start()
    build.end()
    (build.root / name).write_text("# changed")
    assert build.start()
    build.end()
    assert not build.start()


FAILURES: list[Callable[[Build], None]] = [
    lambda build: build.end(warnings=1),
    lambda build: build.end(error=RuntimeError("stopped")),
]


@pytest.mark.parametrize("fail", FAILURES, ids=["warning", "error"])
def test_a_build_that_failed_leaves_nothing_to_trust(
    build: Build, fail: Callable[[Build], None]
) -> None:
    build.start()
    fail(build)
    assert not build.pages.exists(), "its pages are read again"
    assert not build.stamp.exists()
    assert build.start()
    build.end()
    assert build.pages.exists()


@pytest.mark.parametrize(
    "fail",
    [*FAILURES, lambda build: None],
    ids=["warning", "error", "killed"],
)
def test_to_undo_a_change_after_a_failure_does_not_bring_trust_back(
    build: Build, fail: Callable[[Build], None]
) -> None:
    """The cache then holds what the changed package computed."""
    build.start()
    build.end()
    path = build.root / "nlp_course/data/tasks.py"
    path.write_text("words = 4\n")
    assert build.start()
    fail(build)
    path.write_text(INPUTS["nlp_course/data/tasks.py"])
    assert build.start()


def test_a_failure_without_a_change_keeps_what_was_executed(
    build: Build,
) -> None:
    build.start()
    build.end()
    build.start()
    build.end(warnings=2)
    assert not build.start()
    assert build.executed.exists()


# --- which pages are read again ---------------------------------------------

PAGES = {
    "notebooks/00_a.ipynb": '"```{glue} x"',
    "notebooks/01_b.ipynb": '"plain"',
    "book/intro.md": "plain words",
    "book/evidence.md": "```{evidence}\n```",
    "book/slips.md": "```{common-slips}\n```",
    "book/numbers.md": "{glue}`loss`",
}
MADE = ["book/evidence", "book/numbers", "book/slips", "notebooks/00_a"]


@pytest.mark.parametrize(
    ("stale", "added", "changed", "wanted"),
    [
        (False, set(), set(), []),
        (False, set(), {"book/intro"}, []),
        (False, {"book/intro"}, {"book/evidence"}, []),
        (False, set(), {"notebooks/01_b"}, MADE),
        (False, {"notebooks/00_a"}, set(), MADE),
        (True, set(), set(), sorted([*MADE, "notebooks/01_b"])),
    ],
    ids=["nothing", "a page", "pages", "a notebook", "a new one", "package"],
)
def test_pages_made_from_a_run_follow_the_run(
    tmp_path: Path,
    stale: bool,
    added: set[str],
    changed: set[str],
    wanted: list[str],
) -> None:
    paths = {
        name.rpartition(".")[0]: write(tmp_path, name, content)
        for name, content in PAGES.items()
    }
    env = SimpleNamespace(found_docs=set(paths), doc2path=paths.__getitem__)
    app: Any = SimpleNamespace(_course_stale=stale)
    assert sphinx_ext.outdated(app, env, added, changed, set()) == wanted


# --- what was measured ------------------------------------------------------


def test_measurements_are_read_from_the_run(tmp_path: Path) -> None:
    line = "✓ a-1: ratio 3: 1, gap 2e-16"
    outputs = {
        "claim:a-1": {"data": {"text/plain": line}},
        "loss": {"data": {"text/plain": "1.2"}},
    }
    name = "notebooks/00_a.glue.json"
    write(tmp_path, name, json.dumps(outputs))
    config = SimpleNamespace(output_folder=str(tmp_path))
    env = SimpleNamespace(mystnb_config=config)
    app: Any = SimpleNamespace(env=env)
    found = sphinx_ext.measured(app, "00_a")
    assert found == {"a-1": "ratio 3: 1, gap 2e-16"}
    assert sphinx_ext.measured(app, "01_not_run") == {}


# --- a whole small book -----------------------------------------------------

STATEMENTS = [
    Statement("a-1", "00_a", "Padding changes nothing.", "holds"),
    Statement(
        "a-2", "00_a", "Gradients <shrink>.", "corrected", "They vanish."
    ),
    Statement("z-1", "99_not_in_the_book", "Later.", "holds", "Never."),
]
CONF = """
extensions = ["myst_nb", "nlp_course.sphinx_ext"]
nb_execution_mode = "off"
html_theme = "basic"
html_copy_source = False
exclude_patterns = ["_build"]
"""
INDEX = """# Book

```{toctree}
notebooks/00_a
book/tables
```
"""
TABLES = """# Tables

## Evidence

```{evidence}
```

## Common slips

```{common-slips}
```
"""


def notebook(measured: dict[str, str]) -> str:
    """A notebook as a run leaves it: claims among the outputs."""
    known = {s.id: s for s in STATEMENTS}
    cells: list[Any] = [nbformat.v4.new_markdown_cell("# Chapter A")]
    for key, text in measured.items():
        data, metadata = Claim(known[key], text)._repr_mimebundle_()
        output = nbformat.v4.new_output(
            "display_data", data=data, metadata=metadata
        )
        cell = nbformat.v4.new_code_cell(
            "claim()", outputs=[output], execution_count=1
        )
        cells.append(cell)
    kernel = {"name": "python3", "display_name": "", "language": "python"}
    made = nbformat.v4.new_notebook(
        cells=cells, metadata={"kernelspec": kernel}
    )
    written: str = nbformat.writes(made)
    return written


class Book:
    """A book of one chapter and one page of tables."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name, content in INPUTS.items():
            write(root, name, content)
        write(root, "conf.py", CONF)
        write(root, "index.md", INDEX)
        write(root, "book/tables.md", TABLES)

    def run(self, **measured: str) -> None:
        """Leave a notebook with these measurements."""
        keys = {key.replace("_", "-"): v for key, v in measured.items()}
        write(self.root, "notebooks/00_a.ipynb", notebook(keys))

    def build(self) -> str:
        """Build, and return the warnings."""
        app = SphinxTestApp(
            "html", srcdir=self.root, builddir=self.root / "_build"
        )
        try:
            app.build()
            return app.warning.getvalue()
        finally:
            app.cleanup()

    def tables(self) -> list[list[list[str]]]:
        """The cells of every row of every table, as a reader sees them."""
        page = self.page()
        tables = re.findall(r"<table.*?</table>", page, re.DOTALL)
        return [
            [
                [text(c) for c in re.findall(r"<t[dh].*?</t[dh]>", row, re.S)]
                for row in re.findall(r"<tr.*?</tr>", table, re.DOTALL)
            ]
            for table in tables
        ]

    def page(self) -> str:
        return (self.root / "_build/html/book/tables.html").read_text("utf-8")


def text(markup: str) -> str:
    return unescape(re.sub("<[^>]*>", "", markup)).strip()


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Book]:
    """A small book, and the environment put back after building it."""
    for name in ("NLP_COURSE_STATIC", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    known = {s.id: s for s in STATEMENTS}
    monkeypatch.setattr(sphinx_ext, "registry", lambda: known)
    yield Book(tmp_path)


@pytest.mark.filterwarnings("default")  # Sphinx's own are not ours
def test_tables_say_what_the_run_measured(book: Book) -> None:
    book.run(a_1="gap 0", a_2="ratio < 0.3")
    assert book.build() == ""
    evidence, slips = book.tables()
    assert evidence == [
        ["Claim", "Statement", "Verdict", "Measured in this run"],
        ["a-1", "Padding changes nothing.", "holds", "gap 0"],
        ["a-2", "Gradients <shrink>.", "corrected", "ratio < 0.3"],
    ]
    assert slips == [
        ["Often said", "What is true", "Measured in this run"],
        ["They vanish.", "Gradients <shrink>.", "ratio < 0.3"],
    ]
    links = re.findall(r'href="([^"]*#claim-[^"]*)"', book.page())
    chapter = "../notebooks/00_a.html"
    assert links == [
        f"{chapter}#claim-a-1",
        f"{chapter}#claim-a-2",
        f"{chapter}#claim-a-2",
    ]
    target = book.root / "_build/html/notebooks/00_a.html"
    for key in ("a-1", "a-2"):
        assert f'id="claim-{key}"' in target.read_text("utf-8")
    assert "99_not_in_the_book" not in book.page()


@pytest.mark.filterwarnings("default")
def test_tables_follow_a_new_run(book: Book) -> None:
    book.run(a_1="gap 0", a_2="ratio 0.3")
    book.build()
    book.run(a_1="gap 0", a_2="ratio 0.7")
    assert book.build() == ""
    evidence, slips = book.tables()
    assert evidence[2][3] == slips[1][2] == "ratio 0.7"


@pytest.mark.filterwarnings("default")
def test_a_claim_that_was_not_measured_is_a_warning_every_time(
    book: Book,
) -> None:
    book.run(a_1="gap 0")
    for _ in range(2):
        warnings = book.build()
        assert "claim a-2 was not measured in 00_a" in warnings
        assert not (book.root / "_build" / STAMP).exists()
    book.run(a_1="gap 0", a_2="ratio 0.3")
    assert book.build() == ""
    assert (book.root / "_build" / STAMP).exists()


def test_the_extension_puts_kernels_into_static_mode(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("NLP_COURSE_STATIC", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "7")
    connected: list[str] = []
    app: Any = SimpleNamespace(
        add_node=lambda node: None,
        add_directive=lambda name, directive: None,
        connect=lambda event, function: connected.append(event),
    )
    said = sphinx_ext.setup(app)
    assert os.environ["NLP_COURSE_STATIC"] == "1"
    assert os.environ["OMP_NUM_THREADS"] == "7", "the reader's choice stays"
    assert said == {"parallel_read_safe": True, "parallel_write_safe": True}
    assert set(connected) == {
        "config-inited",
        "env-get-outdated",
        "env-before-read-docs",
        "doctree-resolved",
        "build-finished",
    }
