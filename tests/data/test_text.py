"""Texts come without a download, and a bad file is told where it is bad."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from nlp_course.data import read_text, topics
from nlp_course.data.text import write_text

BOM = b"\xef\xbb\xbf"


def file(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    return path


def test_a_text_comes_back_as_it_was_written(tmp_path: Path) -> None:
    text = "Привет,\n\n  wörld — 你好 👋\n"
    assert read_text(file(tmp_path, text.encode())) == text
    assert read_text(str(file(tmp_path, text.encode()))) == text


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_line_ends_become_one_kind(tmp_path: Path, end: bytes) -> None:
    path = file(tmp_path, b"one" + end + end + b"two" + end)
    assert read_text(path) == "one\n\ntwo\n"


def test_a_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    assert read_text(file(tmp_path, BOM + b"one")) == "one"


def test_a_mark_inside_the_text_stays(tmp_path: Path) -> None:
    path = file(tmp_path, b"one" + BOM + b"two")
    assert read_text(path) == "one\ufefftwo"


def test_home_is_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file(tmp_path, b"mine")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert read_text("~/text.txt") == "mine"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist") as caught:
        read_text(tmp_path / "nothing.txt")
    assert "nothing.txt" in str(caught.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is a folder") as caught:
        read_text(tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b" \n\t\r\n ", BOM, BOM + b"\n"])
def test_a_file_without_text_is_an_error(
    tmp_path: Path, content: bytes
) -> None:
    with pytest.raises(ValueError, match="holds no text"):
        read_text(file(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "byte", "position", "line"),
    [
        (b"\xff\xfeo\x00", "0xff", 0, 1),  # UTF-16
        (b"one\ntw\xf6\n", "0xf6", 6, 2),  # Latin-1
        (b"one\r\ntw\xf6", "0xf6", 7, 2),
        (b"one\rtwo\rthr\xe9", "0xe9", 11, 3),
        (b"one\n\xe9", "0xe9", 4, 2),
        (BOM + b"a\nb\xffc", "0xff", 6, 2),
        (b"cut \xd0", "0xd0", 4, 1),  # half a letter at the end
    ],
)
def test_a_wrong_byte_is_found(
    tmp_path: Path, content: bytes, byte: str, position: int, line: int
) -> None:
    path = file(tmp_path, content)
    with pytest.raises(ValueError, match="is not UTF-8 text") as caught:
        read_text(path)
    message = str(caught.value)
    assert f"byte {byte} at position {position} (line {line})" in message
    assert str(path) in message
    assert content[position] == int(byte, 16)


def test_a_packed_file_is_unpacked(tmp_path: Path) -> None:
    packed = gzip.compress(BOM + "чай\r\n".encode())
    assert read_text(file(tmp_path, packed)) == "чай\n"
    for broken in (packed[:-9], packed[:12] + b"??" + packed[14:]):
        with pytest.raises(ValueError, match="is a broken gzip file: "):
            read_text(file(tmp_path, broken))


def test_a_text_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    for text in ("чай\n", "", "one\r\ntwo"):
        write_text(path, text)
        assert path.read_bytes() == text.encode()
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "half \ud800")
    assert path.read_bytes() == b"one\r\ntwo"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*none"):
        write_text(tmp_path / "none" / "text.txt", "a")


def test_topics_is_enough_to_learn_from_and_always_the_same() -> None:
    text = topics()
    assert text == topics()
    assert len(text) > 200_000
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert "\r" not in text


def test_no_paragraph_of_topics_stands_twice() -> None:
    paragraphs = [p.strip() for p in topics().split("\n\n")]
    assert all(paragraphs)
    assert len(set(paragraphs)) == len(paragraphs)
