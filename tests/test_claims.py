"""A claim that does not hold stops the run; nothing else passes for one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nlp_course import claims
from nlp_course.claims import Claim, ClaimError, Statement, claim

REGISTRY = """
first:
  chapter: 00_text
  statement: A padded batch is < its sentences.
  verdict: holds
second:
  chapter: 01_rnn
  statement: Gradients shrink.
  verdict: corrected
  usual: Gradients vanish.
"""


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a small registry in the place of the book's."""
    path = tmp_path / "claims.yml"
    path.write_text(REGISTRY, "utf-8")
    read = claims.registry.__wrapped__
    monkeypatch.setattr(claims, "_PLACES", (tmp_path / "none", path))
    monkeypatch.setattr(claims, "registry", read)
    return path


@pytest.mark.usefixtures("known")
def test_the_registry_keeps_its_order_and_its_fields() -> None:
    entries = claims.registry()
    assert list(entries) == ["first", "second"]
    assert entries["second"] == Statement(
        "second",
        "01_rnn",
        "Gradients shrink.",
        "corrected",
        "Gradients vanish.",
    )
    assert entries["first"].usual == ""


def test_a_missing_registry_says_where_it_was_looked_for(
    known: Path,
) -> None:
    known.unlink()
    with pytest.raises(FileNotFoundError, match=r"claims\.yml"):
        claims.registry()


TRUE = [True, np.True_, np.array(True), torch.tensor(2.0) > 1]
FALSE = [False, np.False_, np.array(False), torch.tensor(2.0) > 3]
NO_TRUTH: list[Any] = [
    None, 1, 0, 1.0, 0.0, float("nan"), "yes", "", [True], (), {"a": 1},
    np.float64("inf"), np.int64(1), np.array([True]),
    torch.tensor(1), torch.tensor(1.0), torch.tensor([True]),
    torch.tensor([True, True]), torch.ones(2, 2) > 0, object(), bool,
]  # fmt: skip


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("holds", TRUE, ids=repr)
def test_a_claim_that_holds_prints_one_line(
    holds: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    claim("first", "the gap is 3e-16", holds)
    assert capsys.readouterr().out == "✓ first: the gap is 3e-16\n"


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("holds", FALSE, ids=repr)
def test_a_claim_that_does_not_hold_raises(
    holds: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ClaimError) as caught:
        claim("second", "the ratio is 7.1", holds)
    for word in ("'second'", "Gradients shrink.", "the ratio is 7.1"):
        assert word in str(caught.value)
    assert isinstance(caught.value, AssertionError)
    assert capsys.readouterr().out == "", "it must not look like a success"


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("holds", NO_TRUTH)
def test_only_a_truth_value_can_hold(
    holds: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(TypeError, match="holds must be True or False") as e:
        claim("first", "measured", holds)
    assert "'first'" in str(e.value)
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("measured", ["", "  \n", None, 3.5, float("nan")])
def test_what_was_measured_must_be_a_text(measured: Any) -> None:
    with pytest.raises(TypeError, match="measured must be a text"):
        claim("first", measured, True)


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("holds", [True, False])
@pytest.mark.parametrize("key", ["third", "", "First"])
def test_an_unknown_claim_is_an_error(key: str, holds: bool) -> None:
    with pytest.raises(KeyError, match="no claim") as caught:
        claim(key, "measured", holds)
    for word in (repr(key), "first, second"):
        assert word in str(caught.value)


def test_claims_hold_without_assertions_too(known: Path) -> None:
    """``python -O`` removes every assert; a claim must not be one."""
    code = (
        "from pathlib import Path; from nlp_course import claims\n"
        f"claims._PLACES = (Path({str(known)!r}),)\n"
        "claims.claim('first', 'measured', False)"
    )
    done = subprocess.run(
        [sys.executable, "-O", "-c", code], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "ClaimError: claim 'first' does not hold" in done.stderr


def bundle(measured: str) -> tuple[dict[str, Any], dict[str, Any]]:
    statement = Statement("a", "00", "x < y & z", "holds")
    return Claim(statement, measured)._repr_mimebundle_()


def test_in_a_notebook_a_claim_is_a_box_that_can_be_linked_to() -> None:
    data, metadata = bundle("1 < 2")
    assert data["text/plain"] == "✓ a: 1 < 2"
    assert 'id="claim-a"' in data["text/html"]
    assert "x &lt; y &amp; z" in data["text/html"]
    assert "1 &lt; 2" in data["text/html"]
    name = metadata["scrapbook"]["name"]
    assert name == claims.GLUE_NAME + "a"


@pytest.mark.usefixtures("known")
def test_inside_ipython_it_is_displayed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[Any] = []
    keep: Callable[[Any], None] = shown.append
    monkeypatch.setattr("IPython.get_ipython", object)
    monkeypatch.setattr("IPython.display.display", keep)
    claim("first", "measured", True)
    assert [str(result) for result in shown] == ["✓ first: measured"]
    assert capsys.readouterr().out == "", "shown once, not twice"


@pytest.mark.usefixtures("known")
def test_without_ipython_it_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "IPython", None)
    claim("first", "measured", True)
    assert capsys.readouterr().out == "✓ first: measured\n"
