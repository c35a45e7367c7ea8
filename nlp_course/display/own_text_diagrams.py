"""Diagrams of chapter 17, ``17_your_own_text``."""

from __future__ import annotations

from nlp_course.display.diagrams import Diagram

_STEP = 2.0  # from one step to the next
_RESUMED = 3.4  # how high the resumed run stands above the other
_SMALL = (0.8, 0.6)


def run_diagram() -> Diagram:
    """A run and the same run resumed from a checkpoint, eq-own-run."""
    d = Diagram()
    d.symbol("start", 0.0, 0.0, "$\\Theta_0$", "hidden", _SMALL)
    for y, name in ((0.0, "whole"), (_RESUMED, "resumed")):
        for k in (1, 2, 3) if name == "whole" else (2, 3):
            d.circle(f"{name} {k}", _STEP * k - 0.4, y, "$F$", "hidden")
        d.symbol(f"{name} end", 7.4, y, "$\\Theta_3$", "hidden", _SMALL)
        d.arrow(f"{name} 2", f"{name} 3", "hidden")
        d.arrow(f"{name} 3", f"{name} end", "hidden")
    d.dot("copy", 2.6, 0.0, "hidden")
    d.symbol("saved", 2.6, 1.7, "$\\Theta_1$", "cell", (0.7, 0.6))
    d.arrow("start", "whole 1", "hidden")
    d.arrow("whole 1", "copy", "hidden", head=False)
    d.arrow("copy", "whole 2", "hidden")
    d.arrow("copy", "saved", "cell")
    d.arrow("saved", "resumed 2", "cell", via=((2.6, _RESUMED),))
    d.symbol("x1", 1.6, 1.7, "$x_1$", "input", _SMALL)
    d.arrow("x1", "whole 1", "input")
    for k in (2, 3):
        d.symbol(f"x{k}", _STEP * k - 0.4, 1.7, f"$x_{k}$", "input", _SMALL)
        d.arrow(f"x{k}", f"whole {k}", "input")
        d.arrow(f"x{k}", f"resumed {k}", "input")
    d.symbol("same", 7.4, 1.7, "$=$", "ink", (0.5, 0.5))
    return d


def shards_diagram() -> Diagram:
    """One batch in two shards, one gradient, :eq:`eq-own-shards`."""
    d = Diagram()
    d.symbol("theta", 3.2, 1.5, "$\\theta$", "ink", (0.6, 0.6))
    d.circle("mean", 3.2, 4.4, "+", "output")
    d.symbol("g", 3.2, 5.9, "$g$", "output", _SMALL)
    for r, x in ((1, 1.0), (2, 5.4)):
        d.symbol(f"x {r}", x, 0.0, f"$x^{{({r})}}$", "input")
        d.box(f"model {r}", x, 1.5, "model", "ink", (1.8, 0.9))
        d.symbol(f"g {r}", x, 3.0, f"$g^{{({r})}}$", "output")
        d.arrow(f"x {r}", f"model {r}", "input")
        d.arrow("theta", f"model {r}")
        d.arrow(f"model {r}", f"g {r}", "output")
        d.arrow(f"g {r}", "mean", "output", via=((x, 4.4),))
    d.arrow("mean", "g", "output")
    return d
