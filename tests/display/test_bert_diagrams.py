"""The diagrams of chapter 14 show what the chapter's equations name."""

from __future__ import annotations

import pytest

from nlp_course.display.bert_diagrams import (
    bert_diagram,
    bert_layer_diagram,
)
from nlp_course.display.diagrams import Diagram


@pytest.mark.parametrize("make", [bert_diagram, bert_layer_diagram])
def test_nothing_overlaps_and_it_fits_a_phone(make: object) -> None:
    assert callable(make)
    diagram = make()
    assert diagram.problems() == []
    assert diagram.bounds().width * 0.5 < 5.6  # inches


def test_the_model_has_every_symbol_of_its_equations() -> None:
    tokens = range(1, 8)
    assert bert_diagram().symbols() == {
        "[CLS]", "superb", "[MASK]", "[SEP]", "dull", "cast", "+", "LN",
        "encoder layers", "$W_p, b_p$", "$\\hat{h}$", "$W_n, b_n$", "pair",
        "$W_m, b_m$", "$E, b_w$", "$p_3$", "$G_0$", "$G_1$",
        *(f"$E_{{w_{t}}}$" for t in tokens), *(f"$h_{t}$" for t in tokens),
        *(f"$P_{t - 1}$" for t in tokens),
    }  # fmt: skip


def way(diagram: Diagram, start: str) -> list[str]:
    """The parts on a way that does not fork."""
    found = [start]
    while True:
        ends = [a.end for a in diagram.arrows if a.start == found[-1]]
        if not ends:
            return found
        assert len(ends) == 1
        found += ends


def test_one_head_reads_cls_and_the_other_a_masked_place() -> None:
    model = bert_diagram()
    assert way(model, "h 0") == ["h 0", "pool", "pooled", "judge", "pair"]
    assert way(model, "h 2") == [
        "h 2", "transform", "words norm", "words", "p",
    ]  # fmt: skip
    assert model.parts["token 0"].label == "[CLS]"
    assert model.parts["token 2"].label == "[MASK]"
    for t in (1, 3, 4, 5, 6):
        assert way(model, f"h {t}") == [f"h {t}"]


def test_segments_change_behind_the_first_sep() -> None:
    parts = bert_diagram().parts
    labels = [parts[f"G {t}"].label for t in range(7)]
    end = [parts[f"token {t}"].label for t in range(7)].index("[SEP]")
    assert labels == ["$G_0$"] * (end + 1) + ["$G_1$"] * (6 - end)


def test_a_layer_of_bert_norms_after_each_sum() -> None:
    layer = bert_layer_diagram()
    assert layer.symbols() == {
        "$x_t$", "$\\tilde{x}_t$", "$h_t$", "LN", "+", "self-attention",
        "feed-forward", "$q$", "$k$", "$v$",
    }  # fmt: skip
    into: dict[str, set[str]] = {}
    for arrow in layer.arrows:
        into.setdefault(arrow.end, set()).add(arrow.start)
    for name in ("attention", "feed-forward"):
        assert into[name] == {f"{name} copy"}  # no norm before the part
        assert into[f"{name} +"] == {name, f"{name} copy"}
        assert into[f"{name} norm"] == {f"{name} +"}
    assert into["feed-forward copy"] == {"attention norm"}
    assert into["out"] == {"feed-forward norm"}
