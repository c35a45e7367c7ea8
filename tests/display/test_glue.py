"""Numbers for the prose are texts, kept under their name, not shown."""

from __future__ import annotations

from typing import Any

import pytest

from nlp_course.display import glue


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
    """What would be sent to the notebook."""
    sent: list[tuple[Any, Any]] = []

    def keep(data: Any, metadata: Any = None) -> None:
        sent.append((data, metadata))

    monkeypatch.setattr("IPython.display.publish_display_data", keep)
    return sent


def test_a_text_is_kept_where_the_book_looks(
    published: list[tuple[Any, Any]],
) -> None:
    glue("loss", "1.25")
    ((data, metadata),) = published
    prefix = "application/papermill.record/"
    assert data == {prefix + "text/plain": "1.25"}, "and nothing is shown"
    assert metadata["scrapbook"] == {"name": "loss", "mime_prefix": prefix}


@pytest.mark.parametrize("value", [1.25, 3, None, True, b"2.5", ["1"]])
def test_a_number_must_be_written_out_first(
    published: list[tuple[Any, Any]], value: Any
) -> None:
    with pytest.raises(TypeError, match="give a formatted text") as caught:
        glue("loss", value)
    assert "'loss'" in str(caught.value)
    assert repr(value) in str(caught.value)
    assert not published
