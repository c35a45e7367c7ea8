"""``nlp-course sample``."""

from __future__ import annotations

from pathlib import Path

import click

from nlp_course.training.runs import load_run
from nlp_course.training.writing import write


@click.command("sample")
@click.argument(
    "folder", metavar="RUN_FOLDER", type=click.Path(path_type=Path)
)
@click.option(
    "--prompt",
    help="What the text begins with.",
    show_default="the end of a line",
)
@click.option(
    "--length",
    type=click.IntRange(min=1),
    default=300,
    show_default=True,
    help="Tokens to write.",
)
@click.option(
    "--temperature",
    type=click.FloatRange(min=0),
    default=0.8,
    show_default=True,
    help="0: always the likeliest token.",
)
@click.option(
    "--top-k",
    type=click.IntRange(min=1),
    help="Draw from the K likeliest tokens only.",
)
@click.option(
    "--top-p",
    type=click.FloatRange(0, 1, min_open=True),
    help="Draw from the likeliest tokens that make up this probability.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="Another seed, another text.",
)
@click.option(
    "--checkpoint",
    type=click.Choice(["best", "last"]),
    default="best",
    show_default=True,
    help="Which weights to use.",
)
def command(
    folder: Path,
    prompt: str | None,
    length: int,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    seed: int,
    checkpoint: str,
) -> None:
    """Write text with the model in RUN_FOLDER."""
    run = load_run(folder, checkpoint)
    written = write(
        run,
        prompt,
        length,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
    )
    if written.unknown:
        click.echo(
            f"note: {written.unknown} of {written.given} tokens of the "
            "prompt are unknown to this model",
            err=True,
        )
    click.echo(written.text)
