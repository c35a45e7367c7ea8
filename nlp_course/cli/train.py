"""``nlp-course train``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from nlp_course.cli.report import report
from nlp_course.training.runs import RunConfig
from nlp_course.training.text_models import MODELS, OPTIMIZERS, TOKENIZERS
from nlp_course.training.text_training import train_text

COUNT = click.IntRange(min=1)
ABOVE_0 = click.FloatRange(min=0, min_open=True)
Function = Callable[..., Any]


def _of_run(name: str, kind: Any, text: str, unset: str = "") -> Function:
    """An option that has the name and the default of a ``RunConfig``."""
    default = getattr(RunConfig, name)
    shown: bool | str = unset if default is None else True
    return click.option(
        f"--{name.replace('_', '-')}",
        type=kind,
        default=default,
        show_default=shown,
        help=text,
    )


_RUN_OPTIONS = (
    _of_run("steps", COUNT, "Updates of the weights."),
    _of_run("batch", COUNT, "Rows of text read at each step."),
    _of_run("context", COUNT, "Tokens of a row."),
    _of_run("layers", COUNT, "Layers above one another."),
    _of_run("width", COUNT, "Features of a token."),
    _of_run("heads", COUNT, "Attention heads of gpt and bert."),
    _of_run(
        "dropout",
        click.FloatRange(0, 1, max_open=True),
        "Share of the features dropped in training.",
    ),
    _of_run("tokenizer", click.Choice(list(TOKENIZERS)), "What a token is."),
    _of_run(
        "vocabulary",
        COUNT,
        "Most tokens of the tokenizer.",
        "char: all, word: 5000, bpe: 1000",
    ),
    _of_run(
        "optimizer",
        click.Choice(OPTIMIZERS),
        "How the weights are updated.",
        "gpt, bert: muon, the others: adamw",
    ),
    _of_run("learning_rate", ABOVE_0, "The highest one.", "suits the model"),
    _of_run("weight_decay", click.FloatRange(min=0), "Pull towards 0."),
    _of_run("clip_norm", ABOVE_0, "Longest gradient; longer ones are cut."),
    _of_run("seed", click.IntRange(0, 2**63 - 1), "Of all that is random."),
    _of_run("checkpoint_every", COUNT, "Steps between two checkpoints."),
    _of_run("evaluate_every", COUNT, "Steps between two measurements."),
    _of_run("log_every", COUNT, "Steps between two rows of the log."),
    _of_run("threads", COUNT, "Threads to compute with.", "PyTorch decides"),
    _of_run("device", click.Choice(["cpu", "cuda"]), "Where to compute."),
)


def run_options(function: Function) -> Function:
    """All options of a run."""
    for option in reversed(_RUN_OPTIONS):
        function = option(function)
    return function


@click.command("train")
@click.argument("model", type=click.Choice(MODELS))
@click.argument("data", default=RunConfig.data)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder of the run.",
    show_default="runs/MODEL-DATA",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on if the folder holds this run already.",
)
@click.option(
    "--plot/--no-plot", default=True, help="Draw the losses at the end."
)
@run_options
def command(
    model: str,
    data: str,
    out: Path | None,
    resume: bool,
    plot: bool,
    **options: Any,
) -> None:
    """Train MODEL on DATA.

    MODEL is rnn, lstm, gru, gpt or bert.  DATA is a UTF-8 text file or the
    name of a corpus: topics (needs no network), tiny-shakespeare or
    wikitext-2.  A tenth of it is held out and only measured on.

    The folder of the run holds the last and the best checkpoint, the logs
    and a plot.  A run that is killed at any moment goes on from its last
    checkpoint.  Under torchrun several processes share each batch:

    torchrun --nproc-per-node 2 -m nlp_course.cli train gpt my.txt
    """
    config = RunConfig(model=model, data=data, **options)
    folder = out or Path("runs") / f"{model}-{Path(data).stem}"
    report(train_text(config, folder, resume=resume), plot=plot)
