"""One training on several processes, on one machine or on many.

PyTorch's ``torchrun`` starts the processes and tells each of them its
*rank* and how many there are.  Every process holds the whole model and reads
its share of every batch; ``DistributedDataParallel`` takes the mean of their
gradients, so that all make the same step.  Rank 0 alone writes files.

A command that was started alone is the one process of a group of one; the
same code serves both.

Source: Li et al., *PyTorch Distributed: Experiences on Accelerating Data
Parallel Training*, VLDB 2020.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import (  # type: ignore[attr-defined]
    PrefixStore,
    TCPStore,
)
from torch.nn.parallel import DistributedDataParallel

_groups = count()  # that this process was in

# A thread of Gloo lets go of the tensors of the last message when it has been
# sent, and for that needs Python's lock.  Destroying the group holds the lock
# and waits for that thread: so the thread gets this many seconds before.
_PAUSE = 0.5


@dataclass(frozen=True)
class Group:
    """The processes of one training, seen from one of them."""

    rank: int = 0  # of this process, from 0
    size: int = 1  # number of processes
    device: torch.device = field(  # what this process works on
        default_factory=lambda: torch.device("cpu")
    )

    @property
    def leads(self) -> bool:
        """Whether this process writes the files and speaks to the user."""
        return self.rank == 0

    def share(self, batch: Tensor) -> Tensor:
        """The rows of a batch ``(B, ...)`` that this process reads.

        Raises ``ValueError`` if the rows cannot be shared out equally.
        """
        rows, left = divmod(len(batch), self.size)
        if left:
            raise ValueError(
                f"a batch of {len(batch)} rows cannot be shared out equally "
                f"among {self.size} processes; take a multiple of {self.size}"
            )
        return batch[self.rank * rows : (self.rank + 1) * rows]

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model as it must be called so that gradients are averaged."""
        if self.size == 1:
            return model
        place = None if self.device.type == "cpu" else [self.device]
        return DistributedDataParallel(model, device_ids=place)

    def total(self, part: Tensor) -> Tensor:
        """The sum of what all processes give."""
        if self.size == 1:
            return part
        whole = part.detach().clone()
        dist.all_reduce(whole)
        return whole

    def collect(self, part: Tensor, dim: int) -> Tensor:
        """What all processes have, one behind another along ``dim``."""
        if self.size == 1:
            return part
        parts = [torch.empty_like(part) for _ in range(self.size)]
        dist.all_gather(parts, part.contiguous())
        return torch.cat(parts, dim=dim)

    def tell(self, data: bytes | None) -> bytes:
        """The bytes that rank 0 has, in every process.

        What the others give is not looked at.  Nothing is pickled.
        """
        if self.size == 1:
            return data or b""
        own = bytearray(data or b"") if self.leads else bytearray()
        length = torch.tensor(len(own), device=self.device)
        dist.broadcast(length, src=0)
        if length == 0:
            return b""
        content = (
            torch.frombuffer(own, dtype=torch.uint8)
            if self.leads
            else torch.empty(int(length), dtype=torch.uint8)
        ).to(self.device)
        dist.broadcast(content, src=0)
        return content.cpu().numpy().tobytes()


def leads() -> bool:
    """Whether this process writes the files and speaks to the user."""
    return int(os.environ.get("RANK", "0")) == 0


def restarted() -> bool:
    """Whether ``torchrun`` has started this process after a failure."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0


@contextmanager
def process_group(device: str = "cpu") -> Iterator[Group]:
    """The group that ``torchrun`` has made, or a group of one.

    ``device`` is "cpu" or "cuda"; each process of a machine takes a GPU of
    its own.  GPUs talk through NCCL, CPUs through Gloo.

    Raises ``ValueError`` for a device that is not there, and
    ``ConnectionError`` when another process is lost.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    place = _place(device)
    if size == 1:
        yield Group(device=place)
        return
    rank = int(os.environ["RANK"])
    backend = "gloo" if place.type == "cpu" else "nccl"
    try:
        dist.init_process_group(
            backend, store=_store(size), rank=rank, world_size=size
        )
        yield Group(rank, size, place)
        dist.barrier()
    except RuntimeError as error:
        if isinstance(error, dist.DistError) or "gloo" in str(error).lower():
            raise ConnectionError(
                f"process {rank} of {size} has lost another one"
            ) from error
        raise
    finally:
        if dist.is_initialized():
            time.sleep(_PAUSE)
            dist.destroy_process_group()


def _store(size: int) -> Any:
    """Where the processes find each other; None: PyTorch's own way.

    ``torchrun`` keeps one store for all its attempts.  After a restart a
    process could read there the address of one that has died, so each
    attempt gets keys of its own.  Its number is the same for all processes
    on one machine; on several machines it need not be, and ``torchrun``
    must be told to open a new store each time, by the environment variable
    ``TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1``.
    """
    shared = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    if not shared or os.environ.get("GROUP_WORLD_SIZE") != "1":
        return None
    place = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = TCPStore(*place, size, is_master=False)
    attempt = os.environ["TORCHELASTIC_RESTART_COUNT"]
    return PrefixStore(f"{attempt}/{next(_groups)}", store)


def _place(device: str) -> torch.device:
    """The device of this process."""
    if device == "cpu":
        return torch.device("cpu")
    if device != "cuda":
        raise ValueError(f"device must be cpu or cuda, not {device!r}")
    local, found = int(os.environ.get("LOCAL_RANK", "0")), 0
    if torch.cuda.is_available():
        found = torch.cuda.device_count()
    if local >= found:
        raise ValueError(
            f"device cuda was asked for, but PyTorch finds {found} GPUs here "
            f"and process {local} of this machine needs one; use device cpu"
        )
    torch.cuda.set_device(local)
    return torch.device("cuda", local)
