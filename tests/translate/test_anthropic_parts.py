"""Image and document parts in Anthropic's own form: what of them is passed on, and what is refused where."""

import base64
from typing import Any

import pytest

from app.errors import InvalidRequest
from app.profiles.profile import Profile
from app.translate.anthropic_parts import anthropic_part
from app.translate.report import Report

Block = dict[str, Any]
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()
PDF = base64.b64encode(b"%PDF-1.7\n").decode()


def sent(type: str, source: Any, profile: Profile | None = None, **more: Any) -> Block:
    part = {"type": type, "source": source} | more
    (block,) = anthropic_part(part, "messages[0].content[1]", profile or Profile(), Report())
    return block


@pytest.mark.parametrize(
    ("source", "passed_on"),
    [
        (
            {"type": "base64", "media_type": "image/PNG", "data": PNG, "x": 1},
            {"type": "base64", "media_type": "image/png", "data": PNG},
        ),
        (
            {"type": "base64", "media_type": "image/png", "data": f"data:image/png;base64,{PNG}"},
            {"type": "base64", "media_type": "image/png", "data": PNG},
        ),
        ({"type": "url", "url": " https://x/a.png "}, {"type": "url", "url": "https://x/a.png"}),
        ({"type": "file", "file_id": "f", "x": 1}, {"type": "file", "file_id": "f"}),
    ],
)
def test_an_image_with_what_the_api_knows_of_it(source: Block, passed_on: Block) -> None:
    assert sent("image", source, alt="left out") == {"type": "image", "source": passed_on}


@pytest.mark.parametrize(
    ("source", "passed_on"),
    [
        (
            {"type": "base64", "media_type": "application/pdf", "data": PDF},
            {"type": "base64", "media_type": "application/pdf", "data": PDF},
        ),
        (
            {"type": "base64", "media_type": "TEXT/Plain", "data": "SGk="},
            {"type": "text", "media_type": "text/plain", "data": "Hi"},
        ),
        ({"type": "url", "url": "https://x/a.pdf"}, {"type": "url", "url": "https://x/a.pdf"}),
        ({"type": "file", "file_id": "f"}, {"type": "file", "file_id": "f"}),
        (
            {"type": "text", "media_type": "text/markdown", "data": "# Hi"},
            {"type": "text", "media_type": "text/plain", "data": "# Hi"},
        ),
        ({"type": "content", "content": [1], "x": 1}, {"type": "content", "content": [1]}),
    ],
)
def test_a_document_with_what_the_api_knows_of_it(source: Block, passed_on: Block) -> None:
    known = {"title": "T", "context": "C", "citations": {"enabled": True}}
    assert sent("document", source, **known, name="left out") == {"type": "document", "source": passed_on} | known
    assert sent("document", source, title=None, context="", citations=None) == {"type": "document", "source": passed_on}


def test_a_cache_breakpoint_stays_with_its_part() -> None:
    marked = sent("image", {"type": "file", "file_id": "f"}, cache_control={"type": "ephemeral", "ttl": "1h"})
    assert marked["cache_control"] == {"type": "ephemeral", "ttl": "1h"}


@pytest.mark.parametrize(
    ("type", "source", "where"),
    [
        ("image", None, ".source"),
        ("image", "data:", ".source"),
        ("image", {}, ".source.type"),
        ("image", {"type": "s3"}, ".source.type"),
        ("image", {"type": "text", "media_type": "text/plain", "data": "Hi"}, ".source.type"),
        ("document", {"type": "s3"}, ".source.type"),
        ("image", {"type": "url"}, ".source.url"),
        ("document", {"type": "file", "file_id": 5}, ".source.file_id"),
        ("image", {"type": "base64", "data": PNG}, ".source.media_type"),
        ("image", {"type": "base64", "media_type": "image/png", "data": "?"}, ".source.data"),
        ("document", {"type": "base64", "media_type": "application/pdf", "data": "a"}, ".source.data"),
    ],
)
def test_what_is_no_such_part_is_refused_by_its_place(type: str, source: Any, where: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        sent(type, source)
    assert raised.value.param == f"messages[0].content[1]{where}"


@pytest.mark.parametrize(("name", "value"), [("title", 5), ("context", []), ("citations", True)])
def test_fields_of_a_document_are_checked(name: str, value: Any) -> None:
    with pytest.raises(InvalidRequest) as raised:
        sent("document", {"type": "file", "file_id": "f"}, **{name: value})
    assert raised.value.param == f"messages[0].content[1].{name}"


def test_urls_are_sent_to_those_who_fetch_them() -> None:
    source = {"type": "url", "url": "http://x/a.png"}
    assert sent("image", source, Profile(http_urls=True))["source"] == source
    with pytest.raises(InvalidRequest):
        sent("image", source, Profile(image_urls=False))
