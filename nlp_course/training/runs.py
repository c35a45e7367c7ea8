"""A training run: its options, its folder, and how to use what it learned.

The folder of a run holds

``last.safetensors``
    the checkpoint to go on from,
``best.safetensors``
    the checkpoint with the lowest loss on the validation text,
``log.jsonl`` and ``validation.jsonl``
    the losses, one JSON object a line,
``loss.png``
    a picture of both, once the run has ended.

Each checkpoint is complete: it holds the options and the tokenizer too, so
that a single file is enough to use the model or to go on training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from torch import nn

from nlp_course.checks import check_positive, check_share
from nlp_course.data.tokenizers import Tokenizer
from nlp_course.training.checkpoints import (
    CheckpointError,
    State,
    load_checkpoint,
)
from nlp_course.training.text_models import (
    MODELS,
    OPTIMIZERS,
    TOKENIZERS,
    build_model,
    default_optimizer,
    default_rate,
    read_tokenizer,
)

LAST, BEST = "last.safetensors", "best.safetensors"
LOG, VALIDATION = "log.jsonl", "validation.jsonl"
PICTURE = "loss.png"

# how a run is computed, not what is computed
_FREE = {"device", "threads"}


@dataclass(frozen=True)
class RunConfig:
    """All options of a run.

    Raises ``ValueError`` for a value out of its range.
    """

    model: str  # rnn, lstm, gru, gpt or bert
    data: str = "topics"  # name of a corpus, or path of a text file
    steps: int = 1000  # updates of the weights
    batch: int = 32  # B, rows that are read at a time
    context: int = 64  # T, tokens of a row
    layers: int = 2
    width: int = 128  # D, features of a token; H of a recurrent network
    heads: int = 4  # A, of gpt and bert
    dropout: float = 0.0  # helps only a run that reads its text many times
    tokenizer: str = "char"  # char, word or bpe
    vocabulary: int | None = None  # at most so many tokens; None: no limit
    optimizer: str | None = None  # adamw or muon; None: what suits the model
    learning_rate: float | None = None  # None: what suits the model
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    seed: int = 0
    checkpoint_every: int = 100  # steps
    evaluate_every: int = 100  # steps
    log_every: int = 10  # steps
    threads: int | None = None  # None: PyTorch decides
    device: str = "cpu"

    def __post_init__(self) -> None:
        _check_choice("model", self.model, MODELS)
        _check_choice("tokenizer", self.tokenizer, tuple(TOKENIZERS))
        if self.optimizer is not None:
            _check_choice("optimizer", self.optimizer, OPTIMIZERS)
        sizes = ("steps", "batch", "context", "layers", "width", "heads")
        every = ("checkpoint_every", "evaluate_every", "log_every")
        optional = [
            name
            for name in ("vocabulary", "threads")
            if getattr(self, name) is not None
        ]
        check_positive(
            **{name: getattr(self, name) for name in (*sizes, *every)},
            **{name: getattr(self, name) for name in optional},
        )
        check_share(dropout=self.dropout)
        self._check_numbers()

    def _check_numbers(self) -> None:
        for name in ("learning_rate", "clip_norm"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"{name} must be positive, not {value}")
        if not 0 <= self.weight_decay < float("inf"):
            raise ValueError(
                f"weight_decay must not be negative, not {self.weight_decay}"
            )
        if not 0 <= self.seed < 2**63:
            raise ValueError(
                f"seed must be a whole number from 0, not {self.seed}"
            )
        if self.model in ("gpt", "bert") and self.width % self.heads:
            raise ValueError(
                f"width {self.width} cannot be divided among {self.heads} "
                "heads; take a multiple"
            )

    @property
    def method(self) -> str:
        """The optimizer, given or suited to the model."""
        return self.optimizer or default_optimizer(self.model)

    @property
    def rate(self) -> float:
        """The learning rate, given or suited to model and optimizer."""
        if self.learning_rate is not None:
            return self.learning_rate
        return default_rate(self.model, self.method)

    def differences(self, other: RunConfig) -> list[str]:
        """What another run does otherwise, as ``name: here, there``.

        Threads and device do not count: they change how a run is computed,
        not what.
        """
        mine, theirs = asdict(self), asdict(other)
        return [
            f"{name}: {mine[name]}, not {theirs[name]}"
            for name in mine
            if name not in _FREE and mine[name] != theirs[name]
        ]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunConfig:
        """The options that ``dataclasses.asdict`` gave.

        Raises ``ValueError`` for a name that is none.
        """
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"unknown options of a run: {sorted(unknown)}")
        return cls(**values)


def _check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(
            f"{name} must be one of {', '.join(known)}, not {value!r}"
        )


@dataclass(frozen=True)
class Run:
    """A model that was trained, ready to be used.

    ``model`` is in evaluation mode, on the CPU.  ``best`` is the step with
    the lowest loss on the validation text and that loss, in nats a token.
    """

    folder: Path
    config: RunConfig
    tokenizer: Tokenizer
    model: nn.Module
    step: int  # updates that the weights have seen
    best: tuple[int, float] | None = None


def read_checkpoint(path: str | Path) -> tuple[RunConfig, State]:
    """The options of a run and its whole state.

    Raises ``FileNotFoundError`` if there is no such file, and
    ``CheckpointError`` if it is no checkpoint of a run, or damaged.
    """
    state = load_checkpoint(path)
    try:
        return RunConfig.from_dict(state["config"]), state
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path} is a checkpoint, but not of a run of this version "
            f"({error})"
        ) from error


def load_run(folder: str | Path, checkpoint: str = "best") -> Run:
    """The model, the tokenizer and the options of a run.

    ``checkpoint`` is "best" (or "last", as long as nothing has been measured
    on the validation text) or "last".

    Raises ``FileNotFoundError`` for a folder without a run, and
    ``CheckpointError`` for a checkpoint that cannot be used.
    """
    _check_choice("checkpoint", checkpoint, ("best", "last"))
    folder = Path(folder)
    path = folder / BEST
    if checkpoint == "last" or not path.exists():
        path = folder / LAST
    if not path.exists():
        raise FileNotFoundError(no_run(folder))
    config, state = read_checkpoint(path)
    tokenizer = read_tokenizer(state["tokenizer"])
    model = build_model(config, len(tokenizer))
    load_weights(model, state["model"], str(path))
    best = state["best"]
    return Run(folder, config, tokenizer, model.eval(), state["step"], best)


def no_run(folder: Path) -> str:
    """What is wrong with a folder that holds no checkpoint."""
    if not folder.is_dir():
        return f"there is no run folder {folder}"
    return f"{folder} holds no run: {LAST} is missing"


def load_weights(model: nn.Module, weights: State, name: str) -> None:
    """Give a model the weights of a checkpoint.

    Raises ``CheckpointError``, with the name of the file and the first
    weights that do not fit, if they are those of another model.
    """
    wanted = {k: tuple(v.shape) for k, v in model.state_dict().items()}
    found = {k: tuple(v.shape) for k, v in weights.items()}
    if wanted != found:
        names = sorted(
            key
            for key in {*wanted, *found}
            if wanted.get(key) != found.get(key)
        )
        first = names[0]
        raise CheckpointError(
            f"{name} holds the weights of another model: {first} has shape "
            f"{found.get(first, 'none')}, not {wanted.get(first, 'none')} "
            f"({len(names)} weights do not fit)"
        )
    model.load_state_dict(weights)
