"""What a model is asked at each step of a training on text.

An objective is called with the number of a step and returns the loss of that
step's batch.  The batch, and the random numbers of dropout, follow from the
seed of the run and the number of the step and from nothing else: a training
that was interrupted finds them again without having kept them.

Where several processes train together, each makes the whole batch, which
costs little, and reads its share of the rows.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int
from torch import Generator, Tensor, nn

from nlp_course.data.masking import mask_tokens
from nlp_course.data.streams import Lanes
from nlp_course.language_model import State, detached
from nlp_course.training.distributed import Group
from nlp_course.training.seeds import generator

if TYPE_CHECKING:
    from nlp_course.training.runs import RunConfig


def seed_of(seed: int, step: int, purpose: str) -> int:
    """A seed for one purpose at one step of a run."""
    name = f"{seed}/{step}/{purpose}".encode()
    return int.from_bytes(hashlib.sha256(name).digest()[:7], "big")


class Objective(ABC):
    """The loss of a step: ``objective(step)``.

    ``ids (N,)`` is the text, ``batch`` the rows of a step in all processes
    of the ``group`` together, ``context`` the tokens of a row.

    Raises ``ValueError`` for a text that is shorter than a row, and for rows
    that cannot be shared out equally.
    """

    beyond: ClassVar[int] = 1  # tokens needed after a row: the last one's next

    def __init__(
        self,
        model: nn.Module,
        ids: Int[Tensor, " N"],
        *,
        batch: int,
        context: int,
        seed: int = 0,
        group: Group | None = None,
    ) -> None:
        self.group = group or Group()
        check_room(ids, context + self.beyond)
        self.group.share(torch.empty(batch))  # refuses rows that are left
        self.model = self.group.wrap(model)
        self.ids = ids
        self.batch, self.context, self.seed = batch, context, seed

    def __call__(self, step: int) -> Tensor:
        """The mean loss of the batch, in nats a token.

        Its value is that of the whole batch; its gradient, averaged over the
        processes, too.
        """
        rank = self.group.rank
        torch.manual_seed(seed_of(self.seed, step, f"dropout {rank}"))
        part, asked = self.sum_of(step)
        loss = part * self.group.size / asked
        if self.group.size == 1:
            return loss
        whole = self.group.total(part) / asked
        return loss + (whole - loss).detach()

    @abstractmethod
    def sum_of(self, step: int) -> tuple[Tensor, int]:
        """The summed loss of this process, and the tokens asked of all."""

    def state(self) -> State | None:
        """What the next step needs of this one, of all processes."""
        return None

    def restore(self, state: State | None) -> None:
        """Go on from what ``state()`` returned."""
        del state  # nothing was kept

    def rng(self, step: int) -> Generator:
        """The source of the batch of a step."""
        return generator(seed_of(self.seed, step, "batch"))

    def mine(self, rows: Tensor) -> Tensor:
        """The rows of this process, on its device."""
        return self.group.share(rows).to(self.group.device)


class Windows(Objective):
    """The next token, in pieces from anywhere in the text: for a GPT."""

    def sum_of(self, step: int) -> tuple[Tensor, int]:
        """The loss of all tokens of this process's rows."""
        rows = draw_windows(
            self.ids, self.batch, self.context + 1, self.rng(step)
        )
        rows = self.mine(rows)  # (B, T+1)
        logits = self.model(rows[:, :-1])
        part = summed(logits, rows[:, 1:])
        return part, self.batch * self.context


class Carried(Objective):
    """The next token, in lanes that go on: for a recurrent model.

    The state after one step is the start of the next, detached.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.lanes = Lanes(self.ids, self.batch, self.context)
        self._carried: State | None = None

    def sum_of(self, step: int) -> tuple[Tensor, int]:
        """The loss of all tokens of this process's lanes."""
        window = self.lanes[step - 1]
        start = None if window.first else self._carried
        logits, state = self.model(self.mine(window.x), start)
        self._carried = detached(state)
        part = summed(logits, self.mine(window.y))
        return part, self.batch * self.context

    def state(self) -> State | None:
        """The states of all lanes, ``(layers, B, H)`` each."""
        if self._carried is None:
            return None
        return tuple(self.group.collect(p, dim=1) for p in self._carried)

    def restore(self, state: State | None) -> None:
        """Take the states of this process's lanes from those of all."""
        self._carried = None
        if state is not None:
            self._carried = tuple(
                self.mine(part.transpose(0, 1)).transpose(0, 1).contiguous()
                for part in state
            )


class Gaps(NamedTuple):
    """Rows with gaps, what stood there, and where one is asked."""

    ids: Int[Tensor, "B T"]
    targets: Int[Tensor, "B T"]
    chosen: Bool[Tensor, "B T"]


def make_gaps(
    rows: Int[Tensor, "B T"], vocabulary: int, rng: Generator
) -> Gaps:
    """Rows with 15 in 100 tokens to be guessed, by BERT's rule.

    The first four ids of a tokenizer are marks and never put in at random;
    the id ``vocabulary``, one more than the tokenizer has, is the mask.
    """
    masked = mask_tokens(
        rows,
        torch.ones_like(rows, dtype=torch.bool),
        torch.arange(4, vocabulary),
        rng,
        mask_id=vocabulary,
    )
    return Gaps(masked.ids, rows, masked.chosen)


class Masked(Objective):
    """The tokens behind the masks, from both sides: for a BERT.

    ``vocabulary`` is that of the tokenizer, without the mask.
    """

    beyond = 0

    def __init__(self, *args: Any, vocabulary: int, **options: Any) -> None:
        super().__init__(*args, **options)
        self.vocabulary = vocabulary

    def sum_of(self, step: int) -> tuple[Tensor, int]:
        """The loss of the chosen tokens of this process's rows."""
        rng = self.rng(step)
        rows = draw_windows(self.ids, self.batch, self.context, rng)
        gaps = make_gaps(rows, self.vocabulary, rng)
        asked = int(gaps.chosen.sum())
        ids, targets, chosen = map(self.mine, gaps)
        logits = self.model(ids).words
        return summed(logits[chosen], targets[chosen]), asked


def summed(logits: Tensor, targets: Tensor) -> Tensor:
    """The sum of :math:`-\\log p(\\text{target})`, in nats."""
    return F.cross_entropy(
        logits.flatten(0, -2), targets.flatten(), reduction="sum"
    )


def draw_windows(
    ids: Int[Tensor, " N"], count: int, length: int, rng: Generator
) -> Int[Tensor, "count length"]:
    """Pieces of a text from places drawn at random."""
    starts = torch.randint(len(ids) - length + 1, (count, 1), generator=rng)
    return ids[starts + torch.arange(length)]


def check_room(ids: Tensor, length: int) -> None:
    """``ValueError`` unless the text has that many tokens."""
    if len(ids) < length:
        raise ValueError(
            f"the text to learn from has {len(ids)} tokens, but this context "
            f"needs at least {length}; take a shorter context or more text"
        )


def build_objective(
    config: RunConfig,
    model: nn.Module,
    ids: Int[Tensor, " N"],
    vocabulary: int,
    group: Group,
) -> Objective:
    """What the model of a run is asked."""
    options: dict[str, Any] = {
        "batch": config.batch,
        "context": config.context,
        "seed": config.seed,
        "group": group,
    }
    if config.model == "bert":
        return Masked(model, ids, vocabulary=vocabulary, **options)
    if config.model == "gpt":
        return Windows(model, ids, **options)
    return Carried(model, ids, **options)
