"""The diagram of chapter 03 shows what the chapter's equations name."""

from __future__ import annotations

from nlp_course.display.clipping_diagrams import clipping_diagram


def test_nothing_overlaps_and_arrows_meet_their_parts() -> None:
    assert clipping_diagram().problems() == []


def test_every_symbol_of_the_equations_is_there() -> None:
    wanted = {"$L$", "$g_W$", "$g_U$", "$g_b$", "$g$", "$\\tau$", "$\\theta$"}
    wanted |= {"$\\Vert g \\Vert$", "$\\min(1,\\, \\tau / \\Vert g \\Vert)$"}
    assert wanted <= clipping_diagram().symbols()


def test_clipping_stands_between_backward_and_step() -> None:
    pairs = {(a.start, a.end) for a in clipping_diagram().arrows}
    assert {("g", "times"), ("factor", "times"), ("times", "step")} <= pairs
    assert {
        ("g", "norm"),
        ("norm", "factor"),
        ("threshold", "factor"),
    } <= pairs
    assert ("g", "step") not in pairs


def test_all_weights_share_one_norm() -> None:
    arrows = clipping_diagram().arrows
    assert {a.start for a in arrows if a.end == "g"} == {"W", "U", "b"}
    assert [a.start for a in arrows if a.end == "norm"] == ["g"]


def test_it_fits_a_page() -> None:
    assert clipping_diagram().bounds().width * 0.5 < 5.6  # inches
