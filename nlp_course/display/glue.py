"""Numbers that the text of a chapter takes from the run."""

from __future__ import annotations

_PREFIX = "application/papermill.record/"


def glue(name: str, text: str) -> None:
    """Keep ``text`` under ``name`` for ``{glue}`name``` in the prose.

    The number is formatted here, once, and shown wherever it is named, so
    that a sentence can never disagree with the run.  Nothing is displayed.

    Raises ``TypeError`` unless ``text`` is a string: format it first.
    """
    if not isinstance(text, str):
        raise TypeError(
            f"glue {name!r}: give a formatted text, not {text!r}; for "
            'example f"{value:.2f}"'
        )
    from IPython.display import publish_display_data

    mark = {"name": name, "mime_prefix": _PREFIX}
    publish_display_data(
        {_PREFIX + "text/plain": text}, metadata={"scrapbook": mark}
    )
