"""app/translate/file_text.py: the encodings that text files are saved in, and what is no text."""

import codecs

import pytest

from app.translate.file_text import file_text, text_of_any

TEXT = "größer, 😀"


@pytest.mark.parametrize(
    ("content", "charset"),
    [
        (TEXT.encode(), ""),
        (TEXT.encode(), "iso-8859-1"),
        (TEXT.encode(), "no such charset"),
        (TEXT.encode("utf-8-sig"), "utf-8"),
        (TEXT.encode("utf-16"), ""),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "utf-8"),
        (TEXT.encode("utf-32"), ""),
        (TEXT.encode("utf-16-le"), "utf-16le"),
        (TEXT.encode("gb18030"), "gb18030"),
    ],
)
def test_a_text_is_read_in_the_encoding_it_was_saved_in(content: bytes, charset: str) -> None:
    assert file_text(content, charset) == TEXT


@pytest.mark.parametrize(
    ("content", "charset", "text"),
    [
        ("“größer”".encode("cp1252"), "", "“größer”"),
        ("größer".encode("latin-1"), "utf-8", "größer"),
        (b"\x81\xe9", "", "\x81é"),
        (b"", "", ""),
        (b"a", "rot13", "a"),
        (codecs.BOM_UTF16_LE + b"a", "", "ÿþa"),
        ("größer".encode("latin-1"), "punycode", "größer"),
        ("größer".encode("latin-1"), "utf-16\0", "größer"),
    ],
)
def test_a_text_without_a_word_of_its_encoding_loses_nothing(content: bytes, charset: str, text: str) -> None:
    assert file_text(content, charset) == text


@pytest.mark.parametrize("content", [b"", TEXT.encode(), TEXT.encode("utf-16"), b"\x1b[0m\ta\r\n\f"])
def test_text_of_any_type(content: bytes) -> None:
    assert text_of_any(content) == file_text(content, "")


@pytest.mark.parametrize(
    "content",
    [b"PK\x03\x04", b"MZ\x00\x01", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"\xff\xfe\x00\x00\x01\x02", b"\x89a"],
)
def test_what_is_no_text(content: bytes) -> None:
    assert text_of_any(content) is None
