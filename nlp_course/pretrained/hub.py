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
        HFValidationError,
        IncompleteSnapshotError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
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
    except IncompleteSnapshotError as error:
        # of all that was ever wanted; what is needed is seen when it is read
        return Path(error.snapshot_path)
    except Exception as error:  # of dozens of kinds, all with the same cure
        why = " ".join(str(error).split()) or type(error).__name__
        raise FileNotFoundError(
            f"{name} (revision {revision or 'main'}) is not in the cache and "
            "cannot be fetched; without a network give the path of a folder "
            f"with config.json and model.safetensors ({why})"
        ) from error
    return Path(folder)
