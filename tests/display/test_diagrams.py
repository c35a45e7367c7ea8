"""A diagram finds its own faults, each kind of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

from nlp_course.display import COLOURS, Diagram, show


@pytest.fixture(autouse=True)
def no_figures_left() -> Iterator[None]:
    """Close what a test leaves open, and see that the package does."""
    plt.close("all")
    yield
    plt.close("all")


def cell() -> Diagram:
    """A recurrent cell without a fault."""
    d = Diagram()
    d.frame("cell", 2.0, 0.0, (5.0, 3.0), "cell")
    d.symbol("h_before", -2.0, 0.0, "$h_{t-1}$", "hidden")
    d.symbol("x", 1.0, -2.5, "$x_t$", "input")
    d.circle("sum", 1.0, 0.0, "+")
    d.box("tanh", 3.0, 0.0, "tanh", "hidden")
    d.dot("copy", 4.2, 0.0)
    d.symbol("h", 6.0, 0.0, "$h_t$", "hidden")
    d.symbol("up", 4.2, 2.5, "$y_t$", "output")
    d.arrow("h_before", "sum", "hidden")
    d.arrow("x", "sum", "input")
    d.arrow("sum", "tanh")
    d.arrow("tanh", "copy", "hidden", head=False)
    d.arrow("copy", "h", "hidden")
    d.arrow("copy", "up", "output")
    return d


def test_a_good_diagram_has_no_problems() -> None:
    assert cell().problems() == []
    assert plt.get_fignums() == []


FAULTS: list[tuple[Callable[[Diagram], None], str]] = [
    (lambda d: d.box("late", 3.0, 0.7, "σ"), "tanh and late overlap"),
    (lambda d: d.dot("spot", 3.0, 0.0), "tanh and spot overlap"),
    (lambda d: d.circle("ring", 6.0, 0.7, "×"), "h and ring overlap"),
    (
        lambda d: d.arrow("h_before", "tanh"),
        "the arrow from h_before to tanh runs through sum",
    ),
    (
        lambda d: d.arrow("x", "up", via=((1.0, 2.5),)),
        "the arrow from x to up runs through sum",
    ),
    (
        lambda d: d.box("wide", 0.0, 4.0, "a label that is far too long"),
        "the label of wide is",
    ),
    (
        lambda d: d.circle("tight", 0.0, 4.0, "softmax"),
        "the label of tight is",
    ),
]


@pytest.mark.parametrize(
    ("plant", "words"), FAULTS, ids=[words for _, words in FAULTS]
)
def test_a_planted_fault_is_found(
    plant: Callable[[Diagram], None], words: str
) -> None:
    d = cell()
    plant(d)
    (problem,) = d.problems()
    assert problem.startswith(words)


def test_every_fault_is_told_not_the_first_one_only() -> None:
    d = cell()
    for plant in (FAULTS[0][0], FAULTS[3][0], FAULTS[5][0]):
        plant(d)
    assert len(d.problems()) >= 3


def test_parts_that_touch_do_not_overlap() -> None:
    d = Diagram()
    d.box("a", 0.0, 0.0, "a", size=(1.0, 1.0))
    d.box("b", 1.0, 0.0, "b", size=(1.0, 1.0))
    d.box("c", 0.0, 1.0, "c", size=(1.0, 1.0))
    assert d.problems() == []


def test_a_frame_may_stand_around_parts_and_be_crossed() -> None:
    d = Diagram()
    d.box("a", 0.0, 0.0, "a")
    d.box("b", 4.0, 0.0, "b")
    d.frame("around", 0.0, 0.0, (2.5, 2.0), "a frame with a long label")
    d.arrow("a", "b")
    assert d.problems() == []


def test_an_arrow_may_go_around() -> None:
    d = cell()
    around = ((-2.0, 3.5), (6.0, 3.5))
    d.arrow("h_before", "h", via=around)
    assert d.problems() == []
    assert d.arrows[-1].points[1:-1] == around


# --- where arrows meet parts ------------------------------------------------

far = st.floats(3, 50) | st.floats(-50, -3)


@given(dx=far, dy=far)
def test_an_arrow_ends_on_the_outline_it_points_at(
    dx: float, dy: float
) -> None:
    d = Diagram()
    d.box("box", 1.0, 2.0, "", size=(1.4, 0.8))
    d.circle("circle", 1.0, 2.0, "")
    for name in ("box", "circle"):
        part = d.parts[name]
        x, y = part.edge((1.0 + dx, 2.0 + dy))
        across, up = (
            (x - 1.0) / (part.width / 2),
            (y - 2.0) / (part.height / 2),
        )
        if name == "circle":
            assert across**2 + up**2 == pytest.approx(1)
        else:
            assert max(abs(across), abs(up)) == pytest.approx(1)
        # on the line to where the arrow comes from, and on that side
        assert (x - 1.0) * dy == pytest.approx((y - 2.0) * dx)
        assert (x - 1.0) * dx > 0


@pytest.mark.parametrize(
    ("towards", "point"),
    [
        ((1.3, 9.0), (1.3, 2.4)),
        ((1.3, -9.0), (1.3, 1.6)),
        ((9.0, 2.2), (1.7, 2.2)),
        ((-9.0, 2.2), (0.3, 2.2)),
    ],
)
def test_straight_lines_stay_straight(
    towards: tuple[float, float], point: tuple[float, float]
) -> None:
    d = Diagram()
    d.box("box", 1.0, 2.0, "", size=(1.4, 0.8))
    assert d.parts["box"].edge(towards) == pytest.approx(point)


# --- the drawing ------------------------------------------------------------


def test_symbols_can_be_asked_for() -> None:
    assert cell().symbols() == {
        "cell", "$h_{t-1}$", "$x_t$", "+", "tanh", "$h_t$", "$y_t$",
    }  # fmt: skip


def test_everything_is_drawn_once() -> None:
    d = cell()
    (axes,) = d.draw().axes
    kinds = [type(patch) for patch in axes.patches]
    assert kinds.count(FancyArrowPatch) == len(d.arrows) == 6
    assert kinds.count(FancyBboxPatch) == 2
    assert kinds.count(Circle) == 2
    labels = {text.get_text() for text in axes.texts}
    assert labels == d.symbols()


def test_heads_and_dashes_mean_something() -> None:
    (axes,) = cell().draw().axes
    arrows = [p for p in axes.patches if isinstance(p, FancyArrowPatch)]
    styles = [type(p.get_arrowstyle()).__name__ for p in arrows]
    assert styles.count("Curve") == 1, "the line that joins has no head"
    boxes = [p for p in axes.patches if isinstance(p, FancyBboxPatch)]
    dashed: list[Any] = [p.get_linestyle() for p in boxes]
    assert len({str(style) for style in dashed}) == 2


def test_the_page_shows_one_unit_as_half_an_inch() -> None:
    d = cell()
    width, height = d.draw().get_size_inches()
    bounds = d.bounds()
    assert width == pytest.approx(bounds.width / 2)
    assert height == pytest.approx(bounds.height / 2)
    for part in d.parts.values():
        assert bounds.x0 < part.box.x0
        assert part.box.x1 < bounds.x1
        assert bounds.y0 < part.box.y0
        assert part.box.y1 < bounds.y1


def test_a_corner_outside_makes_the_drawing_larger() -> None:
    d = cell()
    before = d.bounds()
    d.arrow("h_before", "h", via=((-2.0, 9.0), (6.0, 9.0)))
    assert d.bounds().y1 > 9.0 > before.y1


def test_a_diagram_is_shown_like_any_figure() -> None:
    svg = show(cell().draw(), "a recurrent cell").svg
    assert "var(--course-hidden" in svg
    assert ">tanh</text>" in svg


# --- errors -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "kind", "words"),
    [
        (
            lambda d: d.dot("x", 9.0, 9.0),
            ValueError,
            ["'x' already"],
        ),
        (
            lambda d: d.box("new", 9.0, 9.0, "a", "purple"),
            ValueError,
            ["'purple'", "hidden", "query"],
        ),
        (
            lambda d: d.arrow("x", "sum", "purple"),
            ValueError,
            ["'purple'", "hidden", "query"],
        ),
        (lambda d: d.arrow("x", "none"), KeyError, ["'none'", "tanh, copy"]),
        (lambda d: d.arrow("none", "x"), KeyError, ["'none'", "tanh, copy"]),
        (
            lambda d: d.arrow("sum", "sum"),
            ValueError,
            ["from sum to sum", "no length", "via"],
        ),
        (
            lambda d: d.arrow("x", "sum", via=((1.0, -2.5),)),
            ValueError,
            ["from x to sum", "no length"],
        ),
    ],
    ids=range(7),
)
def test_a_mistake_is_named(
    build: Callable[[Diagram], None],
    kind: type[Exception],
    words: list[str],
) -> None:
    d = cell()
    arrows = len(d.arrows)
    with pytest.raises(kind) as caught:
        build(d)
    for word in words:
        assert word in str(caught.value)
    assert len(d.arrows) == arrows


def test_every_role_can_be_drawn() -> None:
    d = Diagram()
    for k, role in enumerate(COLOURS):
        d.circle(role, 2.0 * k, 0.0, str(k), role)
    assert d.problems() == []
