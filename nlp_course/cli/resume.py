"""``nlp-course resume``."""

from __future__ import annotations

from pathlib import Path

import click

from nlp_course.cli.report import report
from nlp_course.training.text_training import resume_text


@click.command("resume")
@click.argument(
    "folder", metavar="RUN_FOLDER", type=click.Path(path_type=Path)
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="Threads to compute with.",
    show_default="as before",
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    help="Where to compute.",
    show_default="as before",
)
@click.option(
    "--plot/--no-plot", default=True, help="Draw the losses at the end."
)
def command(
    folder: Path, threads: int | None, device: str | None, plot: bool
) -> None:
    """Go on with the run in RUN_FOLDER from its last checkpoint.

    With the same number of threads on the same machine it ends with the
    same weights, bit by bit, as if it had never been interrupted.
    """
    report(resume_text(folder, threads=threads, device=device), plot=plot)
