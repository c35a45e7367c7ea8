"""One drawing with two faces: frames on a page, widgets in a notebook."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from nlp_course.display import Slider, explore, use_course_style
from nlp_course.display.explorables import Explorable

GAPS = Slider("gap & words", [1, 3, 5], form="{} words")
KINDS = Slider("kind", ["long", "short"], start=1)


@pytest.fixture(autouse=True)
def live(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Stand in a live notebook, in the course's style."""
    monkeypatch.setenv("NLP_COURSE_STATIC", "0")
    with mpl.rc_context():
        use_course_style()
        yield
    plt.close("all")


@pytest.fixture
def static(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in a run for the book."""
    monkeypatch.setenv("NLP_COURSE_STATIC", "1")


def draw(**values: Any) -> Figure:
    fig = plt.figure(figsize=(1, 1))
    fig.text(0.1, 0.5, describe(**values))
    return fig


def describe(**values: Any) -> str:
    return " ".join(f"{name}={value}" for name, value in values.items())


def two() -> Explorable:
    return explore(draw, describe, gap=GAPS, kind=KINDS)


ALTS = [f"gap={g} kind={k}" for g in (1, 3, 5) for k in ("long", "short")]


def frames(page: str) -> list[tuple[bool, str]]:
    """Of every frame: whether it is hidden, and its description."""
    pieces = page.split('<div class="course-frame"')[1:]
    labels = [re.findall(r'aria-label="([^"]*)"', p) for p in pieces]
    assert all(len(found) == 1 for found in labels), "one picture a frame"
    hidden = [piece.startswith(" hidden>") for piece in pieces]
    assert all(p.startswith((" hidden>", ">")) for p in pieces)
    return [(h, found[0]) for h, found in zip(hidden, labels, strict=True)]


# --- on a page --------------------------------------------------------------


def test_every_frame_is_there_the_last_slider_changes_fastest() -> None:
    assert [alt for _, alt in frames(two().to_html())] == ALTS


def test_only_the_first_picture_is_visible() -> None:
    """The first picture is that of the places where the sliders start."""
    seen = [alt for hidden, alt in frames(two().to_html()) if not hidden]
    assert seen == ["gap=1 kind=short"]


def test_each_frame_shows_its_own_values() -> None:
    explorable = two()
    for places, alt in (((0, 0), ALTS[0]), ((2, 1), ALTS[5])):
        svg = explorable.frame(places)
        assert f'aria-label="{alt}"' in svg
        assert f">{alt}</text>" in svg
        assert svg in explorable.to_html()


def test_no_id_stands_twice_on_the_page() -> None:
    def same(**_values: Any) -> Figure:
        fig, ax = plt.subplots()
        ax.plot([0, 1], [0, 1], marker="o")
        return fig

    page = explore(same, describe, gap=GAPS).to_html()
    found = re.findall(r' id="([^"]+)"', page)
    assert found
    assert len(set(found)) == len(found)


def controls(page: str) -> list[dict[str, str]]:
    inputs = re.findall(r"<input ([^>]*)>", page)
    pairs = r'([a-z-]+)="([^"]*)"'
    return [
        {k: html.unescape(v) for k, v in re.findall(pairs, attributes)}
        for attributes in inputs
    ]


def test_the_sliders_have_labels_values_and_a_start() -> None:
    page = two().to_html()
    gap, kind = controls(page)
    assert gap["type"] == kind["type"] == "range"
    assert (gap["min"], gap["max"], gap["step"]) == ("0", "2", "1")
    assert gap["data-values"].split("|") == ["1 words", "3 words", "5 words"]
    assert (gap["value"], gap["aria-valuetext"]) == ("0", "1 words")
    assert (kind["value"], kind["aria-valuetext"]) == ("1", "short")
    assert "<span>gap &amp; words</span>" in page
    assert page.count("<output>") == page.count("</label>") == 2
    assert "<output>short</output>" in page


def test_without_a_script_the_sliders_are_hidden() -> None:
    page = two().to_html()
    assert '<div class="course-controls" hidden>' in page
    assert "<script" not in page
    assert page.startswith('<div class="course-explore" role="group">')


def test_the_page_names_what_the_script_looks_for() -> None:
    from tests.display.test_style import STATIC

    script = (STATIC / "explore.js").read_text("utf-8")
    page = two().to_html()
    for name in re.findall(r'"\.(course-[a-z]+)"', script):
        assert f'class="{name}"' in page
    assert "dataset.values" in script
    assert 'split("|")' in script


@pytest.mark.usefixtures("static")
def test_in_a_run_for_the_book_it_shows_the_page() -> None:
    data = two()._repr_mimebundle_(include=None, exclude=None)
    assert set(data) == {"text/plain", "text/html"}
    assert frames(data["text/html"])[5] == (True, ALTS[5])
    assert data["text/plain"] == (
        "Explorable: gap from 1 words to 5 words, kind from long to short"
    )


@pytest.mark.usefixtures("static")
def test_each_frame_is_drawn_once() -> None:
    drawn: list[int] = []

    def count(gap: int) -> Figure:
        drawn.append(gap)
        return plt.figure(figsize=(1, 1))

    explorable = explore(count, describe, gap=GAPS)
    explorable._repr_mimebundle_()
    explorable._repr_mimebundle_()
    assert drawn == [1, 3, 5]
    assert plt.get_fignums() == []


@pytest.mark.usefixtures("static")
def test_an_error_in_any_frame_stops_the_cell() -> None:
    """IPython only prints an error of what it is about to show.

    The cell would then count as successful, and no test of the notebook
    would notice; so all frames are drawn before anything is shown.
    """

    def broken(gap: int) -> Figure:
        if gap == 5:
            raise ZeroDivisionError("the last frame")
        return plt.figure(figsize=(1, 1))

    with pytest.raises(ZeroDivisionError, match="the last frame"):
        explore(broken, describe, gap=GAPS)


@pytest.mark.usefixtures("static")
def test_a_frame_without_a_description_stops_the_cell() -> None:
    def silent(gap: int) -> str:
        return "" if gap == 3 else "a line"

    with pytest.raises(ValueError, match="needs a description"):
        explore(draw, silent, gap=GAPS)


# --- in a notebook ----------------------------------------------------------


def picture(box: Any) -> str:
    value: str = box.children[0].value
    (label,) = re.findall(r'aria-label="([^"]*)"', value)
    return str(label)


def test_a_widget_draws_anew_when_a_slider_moves() -> None:
    box = two().to_widget()
    _, gap, kind = box.children
    assert picture(box) == "gap=1 kind=short"
    gap.index = 2
    assert picture(box) == "gap=5 kind=short"
    kind.index = 0
    assert picture(box) == "gap=5 kind=long"
    gap.value = "3 words"
    assert picture(box) == "gap=3 kind=long"
    assert plt.get_fignums() == []


def test_the_widgets_say_what_the_page_says() -> None:
    box = two().to_widget()
    _, gap, kind = box.children
    assert gap.description == "gap & words"
    assert gap.options == ("1 words", "3 words", "5 words")
    assert (gap.index, kind.index) == (0, 1)
    assert 'class="course-figure"' in box.children[0].value


def test_values_that_are_written_alike_stay_apart() -> None:
    fine = Slider("x", [0.01, 0.02, 0.03], form="{:.1f}")
    box = explore(draw, describe, x=fine).to_widget()
    box.children[1].index = 2
    assert picture(box) == "x=0.03"


def test_in_a_live_notebook_it_shows_widgets() -> None:
    data = two()._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["text/plain"].startswith("Explorable: gap from 1 words")


def test_in_a_live_notebook_one_frame_is_drawn_not_all() -> None:
    drawn: list[int] = []

    def count(gap: int) -> Figure:
        drawn.append(gap)
        return plt.figure(figsize=(1, 1))

    explorable = explore(count, describe, gap=GAPS)
    assert drawn == []
    explorable._repr_mimebundle_()
    assert drawn == [1]


# --- errors -----------------------------------------------------------------


def slider(n: int, start: int = 0) -> Slider:
    return Slider("x", range(n), start=start)


@pytest.mark.parametrize(
    ("sliders", "words"),
    [
        ({}, "at least one slider"),
        ({"gap": slider(0)}, "'gap' needs at least two values"),
        ({"gap": slider(1)}, "'gap' needs at least two values"),
        ({"ok": slider(2), "gap": slider(3, 3)}, "'gap' starts at place 3"),
        ({"gap": slider(3, -1)}, "'gap' starts at place -1.*0 to 2"),
        ({"gap": slider(61)}, "61 pictures are too many.*at most 60"),
        ({"a": slider(8), "b": slider(8)}, "64 pictures are too many"),
        ({"gap": Slider("p", [1, 2], form="p(x|{})")}, "'gap'.*mark '|'"),
    ],
    ids=range(8),
)
def test_sliders_that_cannot_work_are_named(
    sliders: dict[str, Slider], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        explore(draw, describe, **sliders)


def test_sixty_pictures_are_allowed() -> None:
    explorable = explore(draw, describe, a=slider(6), b=slider(10))
    assert isinstance(explorable, Explorable)
