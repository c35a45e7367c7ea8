"""Checkpoints by name, from the Hugging Face hub or its cache."""

from __future__ import annotations

from pathlib import Path

WANTED = (
    "config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-?????-of-?????.safetensors",
    "tokenizer.json",
)


def download(
    name: str,
    revision: str | None = None,
    cache_dir: str | Path | None = None,
) -> Path:
    """The folder with the files of a checkpoint; downloaded if need be.

    Only ``config.json``, the weights in safetensors and ``tokenizer.json``
    are fetched.  ``revision`` is a branch, a tag or a commit, "main" if not
    given; only a commit means the same files for ever.  What was fetched
    once is found in the cache, also without a network.

    Raises ``ValueError`` for a text that cannot be a name, and
    ``FileNotFoundError`` if there is no such name or revision, or no way to
    reach it.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    offline = (
        "give the path of a folder with config.json and model.safetensors "
        "instead of a name"
    )
    try:
        folder = snapshot_download(
            name,
            revision=revision,
            cache_dir=cache_dir,
            allow_patterns=list(WANTED),
        )
    except HFValidationError as error:
        raise ValueError(
            f"{name!r} is neither a folder nor a name on the hub: {error}"
        ) from None
    except RevisionNotFoundError as error:
        raise FileNotFoundError(
            f"{name} has no revision {revision!r} on the hub"
        ) from error
    except RepositoryNotFoundError as error:
        raise FileNotFoundError(
            f"there is no folder {name!r} here and no public model of this "
            "name on the hub"
        ) from error
    except (LocalEntryNotFoundError, HfHubHTTPError) as error:
        raise FileNotFoundError(
            f"{name} (revision {revision or 'main'}) is not in the cache, "
            f"and the hub cannot be reached; without a network {offline}"
        ) from error
    return Path(folder)
