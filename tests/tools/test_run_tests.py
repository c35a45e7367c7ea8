"""The summary of `make test` hides neither a failure nor an omission."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.run_tests import STAGES, in_ci, run_all


def environment(tmp_path: Path, browser: bool, **more: str) -> dict[str, str]:
    """Make an environment with or without a browser on its path."""
    if browser:
        program = tmp_path / "chromium"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    return {"PATH": str(tmp_path), **more}


class Make:
    """Stand in for make: note the stages, fail those that are named."""

    def __init__(self, *failing: str) -> None:
        self.failing = failing
        self.called: list[str] = []

    def __call__(self, stage: str) -> int:
        """Run one stage."""
        self.called.append(stage)
        return int(stage in self.failing)


def test_all_stages_run_and_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make = Make()
    assert run_all(STAGES, environment(tmp_path, browser=True), make) == 0
    assert tuple(make.called) == STAGES
    said = capsys.readouterr().out
    assert said.endswith("All tests passed.\n")


def test_a_failure_does_not_stop_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make = Make("unit")
    assert run_all(STAGES, environment(tmp_path, browser=True), make) == 1
    assert tuple(make.called) == STAGES
    assert "FAILED: unit." in capsys.readouterr().out


def test_no_pages_are_tested_without_a_book(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make = Make("book")
    assert run_all(STAGES, environment(tmp_path, browser=True), make) == 1
    assert "book-check" not in make.called
    assert "the book was not built" in capsys.readouterr().out


def test_no_browser_is_said_at_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make = Make()
    assert run_all(STAGES, environment(tmp_path, browser=False), make) == 0
    assert "book-check" not in make.called
    end = "\n".join(capsys.readouterr().out.splitlines()[-2:])
    assert "NOT TESTED HERE: book-check" in end
    assert "apt-get install chromium" in end
    assert "All tests passed" not in end


def test_no_browser_fails_in_ci(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environ = environment(tmp_path, browser=False, CI="true")
    assert run_all(STAGES, environ, Make()) == 1
    assert "FAILED: book-check." in capsys.readouterr().out


@pytest.mark.parametrize("value", ["", "0", "false", "False"])
def test_ci_can_be_switched_off(value: str) -> None:
    assert not in_ci({"CI": value})
    assert not in_ci({})
    assert in_ci({"CI": "true"})
