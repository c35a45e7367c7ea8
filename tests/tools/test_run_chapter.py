"""One chapter with other parameters: refusals are short and exact."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.notebook_samples import chapter, code, read, write
from tools import run_chapter
from tools.run_chapter import Refused


@pytest.fixture
def notebooks(tmp_path: Path) -> Path:
    """Make a folder with two chapters."""
    folder = tmp_path / "notebooks"
    chapter(folder / "01_first.ipynb")
    write(folder / "02_second.ipynb", code("value = 2"))
    return folder


def run(notebooks: Path, *arguments: str) -> int:
    """Call the command as the Makefile does."""
    runs = notebooks.parent / "runs"
    places = ["--notebooks", str(notebooks), "--runs", str(runs)]
    return run_chapter.main([*arguments, *places])


@pytest.mark.parametrize(
    "name", ["1", "01", "01_first", "notebooks/01_first.ipynb"]
)
def test_a_chapter_is_found_by_number_or_name(
    notebooks: Path, name: str
) -> None:
    found = run_chapter.find_chapter(notebooks, name)
    assert found.name == "01_first.ipynb"


@pytest.mark.parametrize("name", ["", "7", "first", "0"])
def test_an_unknown_chapter_lists_the_known(
    notebooks: Path, name: str
) -> None:
    with pytest.raises(Refused) as refused:
        run_chapter.find_chapter(notebooks, name)
    assert "01_first" in str(refused.value)
    assert "02_second" in str(refused.value)


def test_an_empty_folder_is_said_to_be_empty(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="has no notebooks"):
        run_chapter.find_chapter(tmp_path, "01")


def test_an_unknown_parameter_lists_the_known_with_defaults(
    notebooks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(notebooks, "01", "-p", "sed", "7", "-p", "seed", "2") == 1
    said = capsys.readouterr().err
    assert "no parameter 'sed'." in said
    assert "seed = 1" in said
    assert 'scale = "quick"' in said
    assert not (notebooks.parent / "runs").exists(), "nothing was run"


def test_a_notebook_without_parameters_takes_none(notebooks: Path) -> None:
    second = notebooks / "02_second.ipynb"
    known = run_chapter.defaults(second)
    run_chapter.check_names(second, {}, known)
    with pytest.raises(Refused, match="none"):
        run_chapter.check_names(second, {"value": 3}, known)


def test_values_get_the_types_of_papermill() -> None:
    pairs = [("a", "7"), ("b", "0.5"), ("c", "True"), ("d", "full")]
    pairs.append(("e", "None"))
    expected = {"a": 7, "b": 0.5, "c": True, "d": "full", "e": None}
    assert run_chapter.typed(pairs) == expected
    assert type(run_chapter.typed(pairs)["a"]) is int


def test_the_copy_is_named_after_the_parameters(tmp_path: Path) -> None:
    given = {"seed": 7, "text": "a b/../c"}
    copy = run_chapter.output_path(Path("n/01_x.ipynb"), given, tmp_path)
    assert copy == tmp_path / "01_x-seed=7-text=a_b_.._c.ipynb"


def test_a_chapter_runs_with_its_new_parameters(
    notebooks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (notebooks / "01_first.ipynb").read_bytes()
    assert run(notebooks, "01", "-p", "seed", "7") == 0
    copy = notebooks.parent / "runs" / "01_first-seed=7.ipynb"
    assert read(copy).cells[-1].outputs[0].data["text/plain"] == "8"
    assert str(copy) in capsys.readouterr().out
    assert (notebooks / "01_first.ipynb").read_bytes() == before


def test_a_false_claim_gives_one_short_message(
    notebooks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(notebooks, "01", "-p", "seed", "700") == 1
    said = capsys.readouterr().err
    message = said[said.index("01_first:") :]
    assert "In [3] failed with AssertionError" in message
    assert "claim too-big: the seed is 700" in message
    assert "Traceback" not in message
    assert len(message.splitlines()) < 15
