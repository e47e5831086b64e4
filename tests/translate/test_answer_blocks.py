"""Content blocks of an answer, each as the deltas of a chat completion."""

from typing import Any

import pytest

from app.translate.answer_blocks import (
    AnswerBlock,
    AnswerSoFar,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    cited_page,
)
from app.translate.json_text import JsonText


def so_far(**fields: Any) -> AnswerSoFar:
    return AnswerSoFar("chatcmpl-7", **fields)


def told(block: AnswerBlock, *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return block.opened() + [out for delta in deltas for out in block.grown(delta)] + block.closed()


def text(piece: Any) -> dict[str, Any]:
    return {"type": "text_delta", "text": piece}


def cite(**citation: Any) -> dict[str, Any]:
    return {"type": "citations_delta", "citation": citation}


def annotation(index: int, start: int, end: int, url: str, title: str = "") -> dict[str, Any]:
    page = {"start_index": start, "end_index": end, "url": url, "title": title}
    return {"index": index, "type": "url_citation", "url_citation": page}


def test_text_is_content_and_empty_pieces_are_nothing() -> None:
    shared = so_far()
    block = TextBlock({"type": "text", "text": "So "}, shared)
    assert told(block, text(""), text("be it"), text(None), text(7)) == [{"content": "So "}, {"content": "be it"}]
    assert shared.text_length == 8


def test_citations_become_annotations_on_their_place_in_the_whole_text() -> None:
    shared = so_far()
    told(TextBlock({"text": "Äh 👋. "}, shared))
    block = TextBlock({"text": "", "citations": [{"url": "https://a", "title": "A"}]}, shared)
    assert told(block, cite(url="https://b", title=None), text("It is so."))[-1] == {
        "annotations": [annotation(0, 6, 15, "https://a", "A"), annotation(1, 6, 15, "https://b")]
    }
    last = TextBlock({"text": "Or not."}, shared)
    assert told(last, cite(url="https://c"))[-1] == {"annotations": [annotation(2, 15, 22, "https://c")]}


@pytest.mark.parametrize(
    ("citation", "url"),
    [
        ({"type": "web_search_result_location", "url": "https://a"}, "https://a"),
        ({"type": "search_result_location", "source": "https://a"}, "https://a"),
        ({"type": "search_result_location", "source": "shelf 7"}, None),
        ({"type": "char_location", "document_index": 0}, None),
        ({"url": 7}, None),
        ("https://a", None),
        (None, None),
    ],
)
def test_only_pages_can_be_cited(citation: Any, url: str | None) -> None:
    assert cited_page(citation) == url


def test_citations_of_text_that_is_not_shown_are_left_out() -> None:
    for shared in (so_far(held=[]), so_far(json_text=JsonText())):
        block = TextBlock({"text": "See there"}, shared)
        assert told(block, cite(url="https://a")) == []


@pytest.mark.parametrize("citations", [None, "no", 7, {"url": "https://a"}, [None, "x"]])
def test_citations_of_the_wrong_type_are_left_out(citations: Any) -> None:
    assert told(TextBlock({"text": "x", "citations": citations}, so_far())) == [{"content": "x"}]


def test_a_signed_block_is_given_whole_once_at_its_end() -> None:
    shared = so_far()
    block = ThinkingBlock({"thinking": "Hm", "signature": ""}, shared)
    deltas = told(
        block,
        {"type": "thinking_delta", "thinking": ", so"},
        {"type": "signature_delta", "signature": "first"},
        {"type": "signature_delta", "signature": "whole"},
    )
    kept = {"type": "thinking", "thinking": "Hm, so", "signature": "whole"}
    assert deltas == [
        {"reasoning_content": "Hm"},
        {"reasoning_content": ", so"},
        {"thinking_blocks": [{"index": 0, **kept}]},
    ]
    assert shared.thinking == [kept]


def test_a_signed_block_without_text_survives_and_an_empty_one_does_not() -> None:
    shared = so_far()
    assert told(ThinkingBlock({"thinking": "", "signature": "s"}, shared)) == [
        {"thinking_blocks": [{"index": 0, "type": "thinking", "thinking": "", "signature": "s"}]}
    ]
    assert told(ThinkingBlock({}, shared)) == []
    assert len(shared.thinking) == 1


def test_an_unsigned_block_is_remembered_but_not_handed_out() -> None:
    shared = so_far()
    assert told(ThinkingBlock({"thinking": "Hm"}, shared)) == [{"reasoning_content": "Hm"}]
    assert shared.thinking == [{"type": "thinking", "thinking": "Hm", "signature": ""}]


def test_redacted_thinking_is_handed_out_and_never_shown() -> None:
    shared = so_far()
    told(ThinkingBlock({"thinking": "", "signature": "s"}, shared))
    kept = {"type": "redacted_thinking", "data": "x"}
    assert told(RedactedThinkingBlock({**kept}, shared), text("hidden")) == [
        {"thinking_blocks": [{"index": 1, **kept}]}
    ]
    assert told(RedactedThinkingBlock({"data": None}, shared)) == []


def test_the_output_is_all_that_the_model_wrote() -> None:
    shared = so_far()
    told(ThinkingBlock({"thinking": "Hm. "}, shared))
    told(RedactedThinkingBlock({"data": "secret"}, shared))
    told(TextBlock({"text": "Hi. "}, shared))
    shared.arguments.append("{}")
    assert shared.output == "Hm. Hi. {}"
