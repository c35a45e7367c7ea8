"""Small runs on a small text, for the tests of training on text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nlp_course.data.text import topics
from nlp_course.training.runs import RunConfig

MODELS = ("rnn", "lstm", "gru", "gpt", "bert")


def small_text(folder: Path, characters: int = 6000) -> Path:
    """A text file of some paragraphs."""
    path = folder / "text.txt"
    path.write_text(topics()[:characters], "utf-8")
    return path


def small(model: str, data: Path | str, **options: Any) -> RunConfig:
    """A run of a few milliseconds a step, with everything switched on."""
    sizes: dict[str, Any] = {
        "steps": 24,
        "batch": 4,
        "context": 12,
        "layers": 2,
        "width": 16,
        "heads": 2,
        "dropout": 0.2,
        "checkpoint_every": 5,
        "evaluate_every": 10,
        "log_every": 2,
        "threads": 1,
    }
    return RunConfig(model, str(data), **{**sizes, **options})
