"""The losses of a run as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nlp_course.training.log import TrainingLog
from nlp_course.training.runs import LOG, PICTURE, VALIDATION

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_losses(folder: str | Path, name: str = PICTURE) -> Path:
    """Draw the losses of the run in ``folder``; return the picture's path.

    The end of ``name`` says what kind of picture: ``.png`` or ``.svg``.

    Raises ``FileNotFoundError`` for a folder without logs.
    """
    from matplotlib.figure import Figure  # takes a while to load

    folder = Path(folder)
    figure = Figure(figsize=(6.4, 4.0), dpi=150, layout="constrained")
    axes = figure.subplots()
    _draw(axes, folder / LOG, "learned from", marker="")
    _draw(axes, folder / VALIDATION, "held out", marker="o")
    axes.set_xlabel("step")
    axes.set_ylabel("loss in nats")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    path = folder / name
    figure.savefig(path)
    return path


def _draw(axes: Axes, path: Path, label: str, marker: str) -> None:
    log = TrainingLog.load(path)
    if len(log):
        steps, losses = log.column("step"), log.column("loss")
        axes.plot(steps.tolist(), losses.tolist(), marker=marker, label=label)
