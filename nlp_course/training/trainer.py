"""One run in one process: what it holds, its steps, and when it saves."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import torch

from nlp_course.data.corpora import load_corpus
from nlp_course.training.checkpoints import (
    CheckpointError,
    State,
    to_bytes,
    write_atomically,
)
from nlp_course.training.diagnosis import LayerRecord
from nlp_course.training.distributed import Group
from nlp_course.training.log import LogFile, TrainingLog
from nlp_course.training.loop import TrainingConfig, WarmUpThenDecay, train
from nlp_course.training.objectives import build_objective
from nlp_course.training.progress import progress
from nlp_course.training.runs import (
    BEST,
    LAST,
    LOG,
    VALIDATION,
    Run,
    RunConfig,
    load_weights,
)
from nlp_course.training.text_evaluation import validation_loss
from nlp_course.training.text_models import (
    build_model,
    build_optimizer,
    read_tokenizer,
    train_tokenizer,
    written_tokenizer,
)

# tokens of the validation text that are read each time
_VALIDATION = 10_000


class Trainer:
    """One run in one process, from its first step or its last checkpoint."""

    def __init__(
        self,
        config: RunConfig,
        state: State | None,
        folder: Path,
        group: Group,
    ) -> None:
        self.config, self.folder, self.group = config, folder, group
        corpus = load_corpus(config.data)
        self.text = _fingerprint(corpus.train, corpus.validation)
        self.tokenizer = (
            train_tokenizer(config.tokenizer, corpus.train, config.vocabulary)
            if state is None
            else read_tokenizer(state["tokenizer"])
        )
        self.ids, self.unseen = (
            torch.tensor(self.tokenizer.encode(text), dtype=torch.int64)
            for text in (corpus.train, corpus.validation)
        )
        self.unseen = self.unseen[:_VALIDATION]
        self.model = build_model(config, len(self.tokenizer)).to(group.device)
        self.record = LayerRecord(self.model)  # remembers the first weights
        self.optimizer = build_optimizer(config, self.model)
        self.step, self.best = 0, None if state is None else state["best"]
        if state is not None:
            self._restore(state)
        self.kept = self.step  # of the last checkpoint
        self.objective = build_objective(
            config, self.model, self.ids, len(self.tokenizer), group
        )
        if state is not None:
            self.objective.restore(state["carried"])
        self.log, self.validation = TrainingLog(), TrainingLog()

    def _restore(self, state: State) -> None:
        """Weights and optimizer as they were after the last checkpoint."""
        path = self.folder / LAST
        if state["text"] != self.text:
            raise ValueError(
                f"the text {self.config.data} is no longer the one that "
                f"{self.folder} was begun with; begin a new run"
            )
        self.step = state["step"]
        load_weights(self.model, state["model"], str(path))
        groups = self.optimizer.param_groups
        rates = [group["lr"] for group in groups]
        try:
            self.optimizer.load_state_dict(state["optimizer"])
        except (KeyError, ValueError) as error:
            raise CheckpointError(
                f"{path} holds the optimizer of another run ({error})"
            ) from error
        # the schedule multiplies the first rate, not that of the last step
        groups = self.optimizer.param_groups
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate

    def state(self) -> State:
        """All that the next step depends on.

        Random numbers need no place: those of a step follow from the seed of
        the run and the number of the step.
        """
        return {
            "config": asdict(self.config),
            "text": self.text,
            "tokenizer": written_tokenizer(self.tokenizer),
            "step": self.step,
            "best": self.best,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "carried": self.objective.state(),
        }

    def run(self) -> None:
        """Take the steps that are left."""
        on_gpu = self.group.device.type != "cpu"
        devices = [self.group.device] if on_gpu else []
        try:
            if self.group.leads:
                self._open()
            with torch.random.fork_rng(devices=devices):
                self._train()
        finally:
            self.log.close()
            self.validation.close()

    def _open(self) -> None:
        """Make the folder, the first checkpoint and the logs."""
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = self.step if (self.folder / LAST).exists() else None
        if kept is None:
            write_atomically(self.folder / LAST, to_bytes(self.state()))
        self.log = LogFile(self.folder / LOG, kept)
        self.validation = LogFile(self.folder / VALIDATION, kept)

    def _train(self) -> None:
        left = range(self.step + 1, self.config.steps + 1)
        if not self.group.leads:
            self._take(left)
            return
        note = _note(self.log, self.config.batch * self.config.context)
        bar = progress(left, "training", note=note, done=self.step)
        with closing(bar):  # before an error is told
            self._take(bar)

    def _take(self, steps: Iterable[int]) -> None:
        config = self.config
        warm_up = max(1, min(100, config.steps // 10))
        train(
            self.model,
            self.objective,
            TrainingConfig(
                steps=config.steps,
                clip_norm=config.clip_norm,
                log_every=config.log_every,
            ),
            optimizer=self.optimizer,
            record=self.record,
            schedule=WarmUpThenDecay(config.steps, warm_up),
            steps=steps,
            log=self.log,
            after=self._after,
        )

    def _after(self, step: int) -> None:
        """Measure and save, where it is time to."""
        self.step = step
        last = step == self.config.steps
        measure = last or step % self.config.evaluate_every == 0
        keep = last or step % self.config.checkpoint_every == 0
        if not (measure or keep):
            return
        better = measure and self.group.leads and self._measure()
        state = self.state()  # all processes give what they carry
        if not self.group.leads:
            return
        names = [BEST] * better + [LAST] * keep
        self._save(names, to_bytes(state))
        if keep:
            self.kept = step

    def _save(self, names: Iterable[str], data: bytes) -> None:
        """Write checkpoints; first the rows of the logs up to there."""
        try:
            for log in (self.log, self.validation):
                log.sync()
            for name in names:
                write_atomically(self.folder / name, data)
        except OSError as error:
            raise OSError(
                error.errno,
                f"{error.strerror}; the checkpoint of step {self.kept} is "
                "kept, and the run can go on from it",
            ) from error

    def _measure(self) -> bool:
        """Log the loss on unseen text; whether it is the lowest so far."""
        loss = validation_loss(self.model, self.unseen, len(self.tokenizer))
        self.validation.append(step=self.step, loss=loss)
        if self.best is not None and not loss < self.best[1]:
            return False
        self.best = (self.step, loss)
        return True

    def result(self) -> Run:
        """The run as it is now."""
        return Run(
            self.folder,
            self.config,
            self.tokenizer,
            self.model.cpu().eval(),
            self.step,
            self.best,
        )


def _fingerprint(*texts: str) -> str:
    """A checksum by which texts are known again."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(f"{len(text)} ".encode() + text.encode("utf-8"))
    return digest.hexdigest()


def _note(log: TrainingLog, tokens: int) -> Callable[[], str]:
    """What stands beside the progress bar: the last loss, and the speed."""
    begin, steps = time.monotonic(), 0

    def note() -> str:
        nonlocal steps
        steps += 1
        speed = steps * tokens / max(time.monotonic() - begin, 1e-9)
        loss = f"loss {log.records[-1]['loss']:.3f}, " if len(log) else ""
        return f"{loss}{speed:,.0f} tokens/s"

    return note
