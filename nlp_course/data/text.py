"""Text to learn from, without a download."""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path
from pydoc_data.topics import topics as _TOPICS


def topics() -> str:
    """English prose that every Python brings along.

    The help texts of Python itself (module ``pydoc_data.topics`` of the
    standard library), in the order of their names.  The help repeats itself,
    so each paragraph is kept only where it first appears: otherwise a test
    split would hold text that was also trained on.

    The text differs a little between Python versions; results that depend
    on it must leave room for that.
    """
    seen: set[str] = set()
    kept = []
    for name in sorted(_TOPICS):
        for paragraph in _TOPICS[name].split("\n\n"):
            key = paragraph.strip()
            if key and key not in seen:
                seen.add(key)
                kept.append(paragraph.strip("\n"))
    return "\n\n".join(kept) + "\n"


def read_text(path: str | Path) -> str:
    """Read a UTF-8 text file of your own.

    Line ends become ``\\n`` and a byte order mark is dropped; a file that
    was packed with gzip is unpacked.

    Raises ``FileNotFoundError`` if there is no such file (a folder is not
    one), ``ValueError`` if it holds no text or is not UTF-8; the message
    says where the first wrong byte stands.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        kind = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise FileNotFoundError(
            f"{path} {kind}; give the path of a UTF-8 text file"
        )
    raw = _unpacked(path)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        start = error.start + len(raw) - len(error.object)  # past the mark
        line = len((raw[:start] + b".").splitlines())
        raise ValueError(
            f"{path} is not UTF-8 text: byte 0x{raw[start]:02x} at "
            f"position {start} (line {line}); save it as UTF-8"
        ) from error
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise ValueError(f"{path} holds no text")
    return text


def _unpacked(path: Path) -> bytes:
    """The bytes of a file; no UTF-8 text begins as a gzip file does."""
    raw = path.read_bytes()
    if not raw.startswith(b"\x1f\x8b"):
        return raw
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is a broken gzip file: {error}") from error


def write_text(path: str | Path, text: str) -> None:
    """Write a UTF-8 file, whole or not at all.

    The text goes into a file beside it, which then takes its place: whoever
    reads at that moment, or after the program was stopped in the middle,
    finds the old text or the new one.  Line ends are written as they are.

    Raises ``FileNotFoundError`` if there is no such folder.
    """
    path = Path(path).expanduser()
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"{path} cannot be written: there is no folder {path.parent}"
        )
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_text(text, encoding="utf-8", newline="")
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
