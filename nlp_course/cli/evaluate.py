"""``nlp-course evaluate``."""

from __future__ import annotations

from pathlib import Path

import click

from nlp_course.data.corpora import load_corpus
from nlp_course.data.text import read_text
from nlp_course.training.runs import load_run
from nlp_course.training.text_evaluation import score_text


@click.command("evaluate")
@click.argument(
    "folder", metavar="RUN_FOLDER", type=click.Path(path_type=Path)
)
@click.argument("data", required=False)
@click.option(
    "--checkpoint",
    type=click.Choice(["best", "last"]),
    default="best",
    show_default=True,
    help="Which weights to measure.",
)
def command(folder: Path, data: str | None, checkpoint: str) -> None:
    """Measure the model in RUN_FOLDER on DATA.

    DATA is a UTF-8 text file, which is read whole, or the name of a corpus,
    of which the part is read that is held out.  Without it, that is the part
    held out of the text that the model was trained on.

    A bert predicts no next token: it is measured by the masked tokens that
    it names and by its pseudo-perplexity, which cannot be compared with a
    perplexity.
    """
    run = load_run(folder, checkpoint)
    if data is not None and Path(data).is_file():
        text = read_text(data)
    else:
        text = load_corpus(data or run.config.data).validation
    score = score_text(run.model, run.tokenizer, text)
    rows = {
        "model": f"{run.config.model}, {checkpoint}, step {run.step}",
        "text": f"{score.characters:,} characters, {score.tokens:,} tokens, "
        f"{score.unknown:,} of them unknown",
        **score.table(),
    }
    for name, value in rows.items():
        click.echo(f"{name:22} {value}")
