"""The diagrams of chapter 17 show what the chapter's equations name."""

from __future__ import annotations

import pytest

from nlp_course.display.diagrams import Diagram
from nlp_course.display.own_text_diagrams import run_diagram, shards_diagram

ALL = [run_diagram, shards_diagram]


@pytest.mark.parametrize("make", ALL)
def test_nothing_overlaps_and_it_fits_a_phone(make: object) -> None:
    assert callable(make)
    diagram = make()
    assert diagram.problems() == []
    assert diagram.bounds().width * 0.5 < 5.6  # inches


def ways(diagram: Diagram, start: str) -> set[str]:
    """Every part that can be reached along the arrows."""
    reached, todo = set(), [start]
    while todo:
        here = todo.pop()
        ends = [a.end for a in diagram.arrows if a.start == here]
        todo += [end for end in ends if end not in reached]
        reached.update(ends)
    return reached


def test_both_runs_read_the_same_batches_after_the_checkpoint() -> None:
    diagram = run_diagram()
    assert diagram.symbols() == {
        "$\\Theta_0$", "$\\Theta_1$", "$\\Theta_3$", "$x_1$", "$x_2$", "$x_3$",
        "$F$", "$=$",
    }  # fmt: skip
    assert {"whole end", "resumed end"} <= ways(diagram, "x2")
    assert {"whole end", "resumed end"} <= ways(diagram, "x3")
    # the resumed run has the first batch through the checkpoint alone
    direct = [a.end for a in diagram.arrows if a.start == "x1"]
    assert direct == ["whole 1"]
    assert {"saved", "resumed end"} <= ways(diagram, "start")


def test_both_shards_reach_one_gradient_with_the_same_weights() -> None:
    diagram = shards_diagram()
    for start in ("x 1", "x 2"):
        assert "g" in ways(diagram, start)
    assert {"model 1", "model 2"} <= ways(diagram, "theta")
    assert "model 2" not in ways(diagram, "x 1")
