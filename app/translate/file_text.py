"""The text of a file, told from its bytes: whatever type it is given, and in whatever encoding it was saved."""

from __future__ import annotations

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    # That of UTF-32 begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHARSET = re.compile(
    r"(iso[-_]?8859|windows|cp|koi8|mac|gb|hz|big5|shift|sjis|euc|iso[-_]?2022|utf[-_]?(16|32))[\w-]*"
)
"""The character sets of files; Python has codecs of other kinds, some of them slow."""
_WIDE = re.compile(r"utf[-_]?(16|32)[\w-]*")
_BINARY = re.compile("[\x00-\x06\x0e-\x1a\x1c-\x1f]")
"""Control characters that no text file has; a zip file's first bytes are UTF-8, too."""


def file_text(content: bytes, charset: str) -> str:
    """The text in `content`, a text file of `charset` (empty: not told).

    Many say UTF-8 whatever they are, or nothing: what the first bytes say counts, then what can be read.
    """
    encodings = [_marked(content) or "utf-8", "cp1252"]
    if _CHARSET.fullmatch(charset):
        encodings.insert(0 if _WIDE.fullmatch(charset) else 1, charset)
    for encoding in encodings:
        text = _decoded(content, encoding)
        if text is not None:
            return text
    return content.decode("latin-1")


def text_of_any(content: bytes) -> str | None:
    """The text in `content`, a file of another type than text, or of none; None if it is no text."""
    text = _decoded(content, _marked(content) or "utf-8")
    return None if text is None or _BINARY.search(text) else text


def _marked(content: bytes) -> str | None:
    """The encoding that a byte order mark tells."""
    return next((encoding for mark, encoding in _MARKS if content.startswith(mark)), None)


def _decoded(content: bytes, encoding: str) -> str | None:
    try:
        return content.decode(encoding)
    except (UnicodeError, LookupError):
        return None
