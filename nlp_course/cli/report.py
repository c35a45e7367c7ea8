"""What is said when a run has ended."""

from __future__ import annotations

import click

from nlp_course.losses import bits
from nlp_course.training.diagnosis import diagnose
from nlp_course.training.distributed import leads
from nlp_course.training.log import TrainingLog
from nlp_course.training.loss_plot import plot_losses
from nlp_course.training.runs import LOG, Run


def report(run: Run, *, plot: bool = True) -> None:
    """Sum up a run; silent in all processes but the first."""
    if not leads():
        return
    config = run.config
    weights = sum(weight.numel() for weight in run.model.parameters())
    click.echo(
        f"{config.model} with {weights:,} weights, {len(run.tokenizer)} "
        f"tokens ({config.tokenizer}), {run.step} steps"
    )
    if run.best is not None:
        step, loss = run.best
        what = "masked token" if config.model == "bert" else "token"
        click.echo(
            f"best on held-out text: {bits(loss):.3f} bits per {what}, at "
            f"step {step}"
        )
    click.echo(f"diagnosis: {_verdict(run)}")
    if plot:
        click.echo(f"losses drawn: {plot_losses(run.folder)}")
    more = "evaluate" if config.model == "bert" else "sample"
    click.echo(f"next: nlp-course {more} {run.folder}")


def _verdict(run: Run) -> str:
    """What the log of the run shows, by the signs of chapter 02."""
    log = TrainingLog.load(run.folder / LOG)
    try:
        return str(diagnose(log))
    except ValueError as error:
        return f"none ({error})"
