"""From the files of a checkpoint to a model with its weights."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from nlp_course.pretrained.files import CONFIG, open_weights
from nlp_course.pretrained.layout import Layout, Place
from nlp_course.pretrained.options import Options
from nlp_course.pretrained.tensors import DTYPES, Entry, read_tensor

# to draw on the device "meta" costs nothing but the import of half of PyTorch
DRAWING = (nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_)
Model = TypeVar("Model", bound=nn.Module)
Weights = dict[str, tuple[str, Entry]]  # by plain name: name there, entry


def load(
    kind: type[Model],
    layout: Layout,
    folder: Path,
    *,
    dropout: float,
    dtype: torch.dtype,
    device: torch.device | str,
) -> Model:
    """A model with the weights in ``folder``.

    Nothing is drawn at random, and one tensor of the files is in memory
    beside the model at a time.

    Raises ``FileNotFoundError`` if a file is missing and ``ValueError`` if
    one is damaged, or if the weights are not exactly those of the model.
    """
    if dtype not in DTYPES.values():
        known = ", ".join(str(it) for it in DTYPES.values())
        raise ValueError(f"dtype must be one of {known}, not {dtype}")
    options = Options(folder / CONFIG)
    options.check_type(layout.model_type)
    config = layout.read_config(options, dropout)
    weights = plain_names(open_weights(folder), layout)
    if config.layers > len(weights):
        raise ValueError(
            f"{options.file} speaks of {config.layers} layers, but {folder} "
            f"holds only {len(weights)} tensors"
        )
    model = _skeleton(kind, config, options.file, dtype)
    places = _by_tensor(layout.places(config))
    _check_names(folder, layout, places, weights)
    _check_shapes(places, weights, model)
    for copy, name in layout.same.items():
        _check_same(copy, name, weights)
    # strict: a weight for which no place is known would be an error
    model.load_state_dict(
        _read(model, places, weights, device), strict=True, assign=True
    )
    return model


def plain_names(found: dict[str, Entry], layout: Layout) -> Weights:
    """The tensors by names without prefix, old names replaced by new ones.

    Raises ``ValueError`` if two have the same name then.
    """
    weights: Weights = {}
    for there, entry in found.items():
        name = layout.plain(there)
        if name in weights:
            raise ValueError(
                f"{entry.file}: {there} and {weights[name][0]} are the same "
                "weight"
            )
        weights[name] = (there, entry)
    for copy, name in layout.same.items():
        if copy in weights:  # perhaps only the copy was kept
            weights.setdefault(name, weights[copy])
    return weights


def _skeleton(
    kind: type[Model], config: Any, file: Path, dtype: torch.dtype
) -> Model:
    """The model without memory: shapes alone."""
    try:
        with Undrawn():
            return kind(config, device="meta", dtype=dtype)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None


class Undrawn(TorchFunctionMode):
    """Inside ``with Undrawn():`` new weights are left as they are."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Stand in for the functions that draw weights."""
        kwargs = kwargs or {}
        if func in DRAWING:
            return args[0] if args else kwargs["tensor"]
        return (torch.empty if func is torch.randn else func)(*args, **kwargs)


def _by_tensor(places: list[Place]) -> dict[str, list[Place]]:
    found: dict[str, list[Place]] = defaultdict(list)
    for place in places:
        found[place.theirs].append(place)
    return dict(found)


def _check_names(
    folder: Path,
    layout: Layout,
    places: dict[str, list[Place]],
    weights: Weights,
) -> None:
    """All that is needed must be there, and no more than is known."""
    missing = [name for name in places if name not in weights]
    if missing:
        raise ValueError(
            f"{folder} lacks {_listed(missing)}, which {layout.architecture} "
            "needs"
        )
    extra = [
        there
        for name, (there, _) in weights.items()
        if name not in places
        and name not in layout.same
        and not layout.skipped.fullmatch(name)
    ]
    if extra:
        raise ValueError(
            f"{folder} holds {_listed(extra)}, which {layout.architecture} "
            "does not have"
        )


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:4])
    more = len(names) - 4
    return f"{shown} and {more} more" if more > 0 else shown


def _check_shapes(
    places: dict[str, list[Place]], weights: Weights, model: nn.Module
) -> None:
    ours = dict(model.named_parameters())
    for name, sharing in places.items():
        there, entry = weights[name]
        shape = tuple(ours[sharing[0].ours].shape)
        wanted = sharing[0].shape_in_file(shape)
        if entry.shape != wanted:
            raise ValueError(
                f"{entry.file}: {there} has shape {entry.shape}; by "
                f"{CONFIG} it must be {wanted}"
            )


def _check_same(copy: str, name: str, weights: Weights) -> None:
    """What ours keeps once may stand there twice, but not differ."""
    if copy not in weights or weights[copy] == weights[name]:
        return
    first, second = (read_tensor(*weights[it]) for it in (name, copy))
    if not torch.equal(first, second):
        raise ValueError(
            f"{weights[copy][1].file}: {weights[copy][0]} differs from "
            f"{weights[name][0]}; here both are one and the same weight"
        )


def _read(
    model: nn.Module,
    places: dict[str, list[Place]],
    weights: Weights,
    device: torch.device | str,
) -> dict[str, Tensor]:
    """Our weights by their names, with the numbers of the files."""
    empty, ours = dict(model.named_parameters()), {}
    for name, sharing in places.items():
        there, entry = weights[name]
        theirs = read_tensor(there, entry)
        for place in sharing:
            like = empty[place.ours]
            weight = torch.empty(like.shape, dtype=like.dtype, device=device)
            weight.copy_(place.from_file(theirs))
            _check_finite(there, entry, theirs, weight)
            ours[place.ours] = weight
    return ours


def _check_finite(
    there: str, entry: Entry, theirs: Tensor, weight: Tensor
) -> None:
    """A weight that is no number makes every result NaN; say so here."""
    if torch.stack(weight.aminmax()).isfinite().all():  # NaN spreads to both
        return
    if theirs.isfinite().all():
        raise ValueError(
            f"{entry.file}: {there} holds numbers beyond the range of "
            f"{weight.dtype}; choose a larger dtype"
        )
    raise ValueError(f"{entry.file}: {there} holds NaN or infinity")
