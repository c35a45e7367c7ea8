"""Diagrams of cells and architectures, drawn from a few kinds of parts.

The same part always means the same thing: a *box* is a layer that is
learned, a *circle* a pointwise operation without weights, a bare *symbol* a
vector that comes in or goes out, a *dot* the place where a line is copied or
joined, a line with an arrow a vector on its way.

A diagram is data first and a drawing second, so that a test can ask whether
every symbol of an equation is on it, whether arrows meet their parts and
whether anything overlaps (``problems``).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any, Literal

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path
from matplotlib.transforms import Bbox

from nlp_course.display.style import COLOURS

Point = tuple[float, float]
Kind = Literal["box", "circle", "symbol", "dot", "frame"]

INCH = 0.5  # one unit of a diagram on paper, in inches
_SIZES: dict[str, Point] = {
    "box": (1.3, 0.8),
    "circle": (0.9, 0.9),
    "symbol": (0.9, 0.6),
    "dot": (0.14, 0.14),
}


@dataclass(frozen=True)
class Part:
    """Something that stands at a place, with its size."""

    name: str
    kind: Kind
    x: float
    y: float
    width: float
    height: float
    label: str = ""
    role: str = "ink"

    @property
    def box(self) -> Bbox:
        """The rectangle that the part covers."""
        w, h = self.width / 2, self.height / 2
        return Bbox.from_extents(
            self.x - w, self.y - h, self.x + w, self.y + h
        )

    def edge(self, towards: Point) -> Point:
        """The point of the outline that an arrow from there should meet."""
        dx, dy = towards[0] - self.x, towards[1] - self.y
        w, h = self.width / 2, self.height / 2
        if self.kind in ("circle", "dot"):
            length = (dx * dx + dy * dy) ** 0.5
            return self.x + w * dx / length, self.y + w * dy / length
        if abs(dx) < w:  # straight from above or below
            return towards[0], self.y + (h if dy > 0 else -h)
        if abs(dy) < h:  # straight from a side
            return self.x + (w if dx > 0 else -w), towards[1]
        k = min(w / abs(dx), h / abs(dy))
        return self.x + k * dx, self.y + k * dy


@dataclass(frozen=True)
class Arrow:
    """A line from one part to another, with corners on its way."""

    start: str
    end: str
    points: tuple[Point, ...]
    role: str
    head: bool


@dataclass
class Diagram:
    """Parts and arrows; ``box``, ``circle`` … add them, ``draw`` draws."""

    parts: dict[str, Part] = field(default_factory=dict)
    arrows: list[Arrow] = field(default_factory=list)

    def box(
        self,
        name: str,
        x: float,
        y: float,
        label: str,
        role: str = "ink",
        size: Point = _SIZES["box"],
    ) -> None:
        """A learned layer."""
        self._add(Part(name, "box", x, y, *size, label, role))

    def circle(
        self, name: str, x: float, y: float, label: str, role: str = "ink"
    ) -> None:
        """A pointwise operation without weights."""
        self._add(Part(name, "circle", x, y, *_SIZES["circle"], label, role))

    def symbol(
        self,
        name: str,
        x: float,
        y: float,
        label: str,
        role: str = "ink",
        size: Point = _SIZES["symbol"],
    ) -> None:
        """A vector that comes in, goes out, or a word."""
        self._add(Part(name, "symbol", x, y, *size, label, role))

    def dot(self, name: str, x: float, y: float, role: str = "ink") -> None:
        """Where a line is copied or two are joined."""
        self._add(Part(name, "dot", x, y, *_SIZES["dot"], "", role))

    def frame(
        self, name: str, x: float, y: float, size: Point, label: str = ""
    ) -> None:
        """A dashed outline around parts that belong together."""
        self._add(Part(name, "frame", x, y, *size, label, "muted"))

    def _add(self, part: Part) -> None:
        if part.name in self.parts:
            raise ValueError(f"the diagram has a part {part.name!r} already")
        _check_role(part.role)
        self.parts[part.name] = part

    def arrow(
        self,
        start: str,
        end: str,
        role: str = "ink",
        via: tuple[Point, ...] = (),
        head: bool = True,
    ) -> None:
        """A line between two parts, around the corners ``via``.

        Raises ``KeyError`` for a part that the diagram does not have,
        ``ValueError`` for a role without a colour, or if the line would have
        no length.
        """
        _check_role(role)
        for name in (start, end):
            if name not in self.parts:
                known = ", ".join(self.parts)
                raise KeyError(f"no part {name!r} in the diagram: {known}")
        a, b = self.parts[start], self.parts[end]
        first = via[0] if via else (b.x, b.y)
        last = via[-1] if via else (a.x, a.y)
        if first == (a.x, a.y) or last == (b.x, b.y):
            raise ValueError(
                f"the arrow from {start} to {end} has no length; lead it "
                "around a corner outside (via)"
            )
        points = (a.edge(first), *via, b.edge(last))
        self.arrows.append(Arrow(start, end, points, role, head))

    def symbols(self) -> set[str]:
        """The labels of all parts, as they were given."""
        return {part.label for part in self.parts.values() if part.label}

    def bounds(self) -> Bbox:
        """The rectangle that holds everything, with a small margin."""
        boxes = [part.box for part in self.parts.values()]
        turns = [p for arrow in self.arrows for p in arrow.points]
        boxes += [Bbox.from_extents(*p, *p) for p in turns]
        return Bbox.union(boxes).padded(0.15)

    def draw(self) -> Figure:
        """The drawing; one unit is half an inch."""
        bounds = self.bounds()
        size = (bounds.width * INCH, bounds.height * INCH)
        figure = plt.figure(figsize=size, layout="none")
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_xlim(bounds.x0, bounds.x1)
        axes.set_ylim(bounds.y0, bounds.y1)
        for arrow in self.arrows:
            _draw_arrow(axes, arrow)
        for part in self.parts.values():
            _draw_part(axes, part)
        return figure

    def problems(self) -> list[str]:
        """What is wrong with the drawing, in words; empty if nothing."""
        return [
            *self._overlaps(),
            *self._crossings(),
            *self._texts_too_wide(),
        ]

    def _solid(self) -> list[Part]:
        return [p for p in self.parts.values() if p.kind != "frame"]

    def _overlaps(self) -> list[str]:
        found = []
        for a, b in itertools.combinations(self._solid(), 2):
            shared = Bbox.intersection(a.box, b.box)
            if shared is not None and shared.width * shared.height > 1e-9:
                found.append(f"{a.name} and {b.name} overlap")
        return found

    def _crossings(self) -> list[str]:
        """Arrows that run through a part that they do not belong to."""
        found = []
        for arrow in self.arrows:
            for part in self._solid():
                if part.name in (arrow.start, arrow.end):
                    continue
                inner = part.box.padded(-0.02)
                if Path(arrow.points).intersects_bbox(inner, filled=False):
                    found.append(
                        f"the arrow from {arrow.start} to {arrow.end} runs "
                        f"through {part.name}"
                    )
        return found

    def _texts_too_wide(self) -> list[str]:
        figure = self.draw()
        renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
        axes = figure.axes[0]
        found = []
        for text in axes.texts:
            part = self.parts[str(text.get_gid())]
            extent = text.get_window_extent(renderer)
            room = part.box.transformed(axes.transData)
            slack = extent.width - room.width
            if part.kind != "frame" and slack > 1:
                found.append(
                    f"the label of {part.name} is {slack:.0f} pixels too wide"
                )
        plt.close(figure)
        return found


def _check_role(role: str) -> None:
    if role not in COLOURS:
        raise ValueError(
            f"no colour for the role {role!r}; roles: {', '.join(COLOURS)}"
        )


def _draw_part(axes: Axes, part: Part) -> None:
    colour = COLOURS[part.role]
    at = (part.x - part.width / 2, part.y - part.height / 2)
    common: dict[str, Any] = {
        "edgecolor": colour,
        "linewidth": 1.6,
        "zorder": 1 if part.kind == "frame" else 3,
    }
    if part.kind in ("box", "frame"):
        dashes = (0, (4, 3)) if part.kind == "frame" else "-"
        axes.add_patch(
            FancyBboxPatch(
                at,
                part.width,
                part.height,
                boxstyle="round,pad=0,rounding_size=0.12",
                facecolor="none" if part.kind == "frame" else COLOURS["paper"],
                linestyle=dashes,
                **common,
            )
        )
    elif part.kind in ("circle", "dot"):
        fill = colour if part.kind == "dot" else COLOURS["paper"]
        axes.add_patch(
            Circle((part.x, part.y), part.width / 2, facecolor=fill, **common)
        )
    if part.label:
        _draw_label(axes, part)


def _draw_label(axes: Axes, part: Part) -> None:
    top = part.kind == "frame"
    text = axes.text(
        part.x - part.width / 2 + 0.15 if top else part.x,
        part.y + part.height / 2 - 0.12 if top else part.y,
        part.label,
        ha="left" if top else "center",
        va="top" if top else "center",
        color=COLOURS[part.role],
        fontsize=10 if top else 12,
        zorder=4,
    )
    text.set_gid(part.name)


def _draw_arrow(axes: Axes, arrow: Arrow) -> None:
    axes.add_patch(
        FancyArrowPatch(
            path=Path(arrow.points),
            arrowstyle="-|>" if arrow.head else "-",
            mutation_scale=12,
            shrinkA=0,
            shrinkB=0,
            color=COLOURS[arrow.role],
            linewidth=1.6,
            joinstyle="round",
            zorder=2,
        )
    )
