"""The doctor names what is lacking in one sentence, with the remedy."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tools import doctor


def program(directory: Path, name: str) -> Path:
    """Make a file that the shell would run."""
    path = directory / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 6, 15), (3, 10, 13)])
def test_an_old_python_is_named_with_the_version_it_takes(
    version: tuple[int, ...],
) -> None:
    problem = doctor.python_problem(version, "/usr/bin/python3")
    assert problem is not None
    assert "/usr/bin/python3" in problem
    assert ".".join(map(str, version)) in problem
    assert "3.11 or newer" in problem
    assert "\n" not in problem


@pytest.mark.parametrize("version", [(3, 11), (3, 11, 7), (3, 14, 0), (4, 0)])
def test_a_new_python_is_no_problem(version: tuple[int, ...]) -> None:
    assert doctor.python_problem(version, "python3") is None


def test_a_python_without_ensurepip_gets_the_debian_remedy() -> None:
    problem = doctor.venv_problem(["ensurepip"], "python3")
    assert problem is not None
    assert "without ensurepip" in problem
    assert "-venv" in problem
    assert doctor.venv_problem([], "python3") is None


def test_this_python_lacks_nothing() -> None:
    assert doctor.missing_modules() == []
    assert doctor.main(["python"]) == 0


def test_the_named_browser_comes_first(tmp_path: Path) -> None:
    program(tmp_path, "chromium")
    mine = program(tmp_path, "mine")
    path = {"PATH": str(tmp_path)}
    assert doctor.find_browser({**path, "CHROMIUM": str(mine)}) == str(mine)
    found = doctor.find_browser(path)
    assert found == str(tmp_path / "chromium")
    # A wrong name is an error, not a reason to take another browser.
    assert doctor.find_browser({**path, "CHROMIUM": "/nowhere/x"}) is None


@pytest.mark.parametrize("name", doctor.BROWSERS)
def test_each_common_name_is_found(tmp_path: Path, name: str) -> None:
    program(tmp_path, name)
    assert doctor.find_browser({"PATH": str(tmp_path)}) is not None


def test_no_browser_is_said_with_the_remedy(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    assert doctor.main(["browser"]) == 1
    said = capsys.readouterr().err
    assert "apt-get install chromium" in said
    assert said.count("\n") == 1


def test_a_wrong_command_line_is_refused() -> None:
    assert doctor.main([]) == 2


def test_the_doctor_speaks_to_python_3_6() -> None:
    source = Path(doctor.__file__).read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 6))
    assert "annotations" not in source, "that future is of Python 3.7"
