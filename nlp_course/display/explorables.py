"""Figures that answer to a slider.

One pure function from slider values to a figure has two faces: widgets of
``ipywidgets`` where a kernel is at hand, and in the published book a row of
pictures drawn beforehand, of which the slider shows one.  The second needs
no server, and without JavaScript its first picture is still there.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from matplotlib.figure import Figure

from nlp_course.display.figures import escape, show
from nlp_course.training.progress import is_static

MOST_FRAMES = 60


@dataclass(frozen=True)
class Slider:
    """One quantity that the reader can change.

    ``label`` is what the reader sees, ``values`` what ``draw`` is called
    with, ``form`` how a value is written beside the slider, ``start`` the
    place of the value shown first.
    """

    label: str
    values: Sequence[Any]
    form: str = "{}"
    start: int = 0

    def written(self, place: int) -> str:
        """The value at a place, as the reader sees it."""
        return self.form.format(self.values[place])


class Explorable:
    """What ``explore`` returns; it shows itself at the end of a cell."""

    def __init__(
        self,
        draw: Callable[..., Figure],
        alt: Callable[..., str],
        sliders: dict[str, Slider],
    ) -> None:
        self.draw, self.alt, self.sliders = draw, alt, sliders

    def __repr__(self) -> str:
        parts = []
        for name, s in self.sliders.items():
            n = len(s.values)
            parts.append(f"{name} from {s.written(0)} to {s.written(n - 1)}")
        return f"Explorable: {', '.join(parts)}"

    def frame(self, places: tuple[int, ...]) -> str:
        """The picture for one place of every slider, as SVG."""
        pairs = zip(self.sliders.items(), places, strict=True)
        values = {name: slider.values[k] for (name, slider), k in pairs}
        return show(self.draw(**values), self.alt(**values)).svg

    def to_html(self) -> str:
        """The face of the book: all pictures and the sliders."""
        return self._html

    @cached_property
    def _html(self) -> str:
        sizes = [range(len(s.values)) for s in self.sliders.values()]
        start = tuple(s.start for s in self.sliders.values())
        frames = []
        for places in itertools.product(*sizes):
            hidden = "" if places == start else " hidden"
            frames.append(
                f'<div class="course-frame"{hidden}>{self.frame(places)}</div>'
            )
        controls = "".join(_control(s) for s in self.sliders.values())
        return (
            '<div class="course-explore" role="group">'
            f'<div class="course-frames">{"".join(frames)}</div>'
            f'<div class="course-controls" hidden>{controls}</div></div>'
        )

    def to_widget(self) -> Any:
        """The face of a live notebook: sliders of ``ipywidgets``."""
        import ipywidgets as widgets

        picture = widgets.HTML()
        controls = [_widget(widgets, s) for s in self.sliders.values()]

        def redraw(_change: Any = None) -> None:
            places = tuple(control.index for control in controls)
            svg = self.frame(places)
            picture.value = f'<div class="course-figure">{svg}</div>'

        for control in controls:
            control.observe(redraw, names="index")
        redraw()
        return widgets.VBox([picture, *controls])

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        if is_static():
            return {"text/plain": repr(self), "text/html": self.to_html()}
        bundle: dict[str, Any] = self.to_widget()._repr_mimebundle_(**options)
        return {**bundle, "text/plain": repr(self)}


def explore(
    draw: Callable[..., Figure],
    alt: Callable[..., str],
    **sliders: Slider,
) -> Explorable:
    """A figure with sliders: the last line of a cell.

    ``draw(**values)`` returns a figure and must depend on nothing but its
    values; ``alt(**values)`` describes that figure in words.

    Raises ``ValueError`` if there is no slider, one has fewer than two
    values, starts outside them or writes one with the mark ``|``, or if all
    together make more than 60 pictures.
    """
    if not sliders:
        raise ValueError("explore needs at least one slider")
    for name, slider in sliders.items():
        _check_slider(name, slider)
    frames = math.prod(len(slider.values) for slider in sliders.values())
    if frames > MOST_FRAMES:
        raise ValueError(
            f"{frames} pictures are too many for a page; take at most "
            f"{MOST_FRAMES} in all (fewer values a slider)"
        )
    explorable = Explorable(draw, alt, sliders)
    if is_static():
        # now: an error while a value is being shown does not stop a run
        explorable.to_html()
    return explorable


def _check_slider(name: str, slider: Slider) -> None:
    n = len(slider.values)
    if n < 2:
        raise ValueError(f"slider {name!r} needs at least two values")
    if not 0 <= slider.start < n:
        raise ValueError(
            f"slider {name!r} starts at place {slider.start}, but its "
            f"places are 0 to {n - 1}"
        )
    if any("|" in slider.written(place) for place in range(n)):
        raise ValueError(
            f"slider {name!r} writes a value with the mark '|', which "
            "separates the values on the page; give it another form"
        )


def _control(slider: Slider) -> str:
    last = len(slider.values) - 1
    values = "|".join(slider.written(k) for k in range(last + 1))
    return (
        '<label class="course-control">'
        f"<span>{escape(slider.label)}</span>"
        f'<input type="range" min="0" max="{last}" step="1" '
        f'value="{slider.start}" data-values="{escape(values)}" '
        f'aria-valuetext="{escape(slider.written(slider.start))}">'
        f"<output>{escape(slider.written(slider.start))}</output></label>"
    )


def _widget(widgets: Any, slider: Slider) -> Any:
    options = [slider.written(k) for k in range(len(slider.values))]
    return widgets.SelectionSlider(
        options=options,
        index=slider.start,
        description=slider.label,
        style={"description_width": "initial"},
        layout={"width": "32em", "max_width": "100%"},
        continuous_update=False,
    )
