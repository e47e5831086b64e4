"""Small request bodies, and cases that pair an illegal one with its legal twin."""

import base64
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .profiles import LEGACY, ModelProfile
from .request_shapes import MESSAGES_REQUEST
from .rules import LEGAL_HEADERS, first_violated, refusal
from .signatures import Seal, answer_prefix_digest, digest
from .terms import Body, Rule, Terms

BETA = "anthropic-beta"
TEXT = {"type": "text", "text": "hello"}
CACHED = {"cache_control": {"type": "ephemeral"}}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CLOSED = {**SCHEMA, "additionalProperties": False}
TOOL = {"name": "get_weather", "description": "", "input_schema": SCHEMA}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}}
CALL_2 = {**CALL, "id": "toolu_2"}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "20 degrees"}
RESULT_2 = {**RESULT, "tool_use_id": "toolu_2"}
SEARCH_CALL = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
SEARCH_RESULT = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
ENABLED = {"type": "enabled", "budget_tokens": 1024}
ADAPTIVE = {"type": "adaptive"}
LONG = 4096
NEWEST = {**LEGAL_HEADERS, "anthropic-version": "2026-10-21"}
CITATION = {
    "type": "search_result_location",
    "cited_text": "x",
    "search_result_index": 0,
    "source": "s",
    "title": None,
    "start_block_index": 0,
    "end_block_index": 1,
}
PDF = b"%PDF-1.4\n1 0 obj <</Type /Page>> endobj"


def body(*messages: Any, **fields: Any) -> Body:
    """A request with these messages; a content alone is a user message, a pair is (role, content)."""
    said = [m if isinstance(m, tuple) else ("user", m) for m in messages or ("hello",)]
    sent = [{"role": role, "content": content} for role, content in said]
    return {"model": "claude-x", "max_tokens": 100, "messages": sent, **fields}


def without(field: str, **fields: Any) -> Body:
    return {name: value for name, value in body(**fields).items() if name != field}


def tool(**fields: Any) -> Body:
    return body(tools=[{**TOOL, **fields}])


def schema(**keywords: Any) -> Body:
    return tool(input_schema={**SCHEMA, **keywords})


def looped(call: Any = CALL, *, result: Any = RESULT, **fields: Any) -> Body:
    """A history with one answered call."""
    calls = call if isinstance(call, list) else [call]
    results = result if isinstance(result, list) else [result]
    return body("hello", ("assistant", calls), results, **{"tools": [TOOL], **fields})


def output(schema: Any, **fields: Any) -> Body:
    return body(output_config={"format": {"type": "json_schema", "schema": schema, **fields}})


def png(width: int = 10, height: int = 10, filler: int = 0) -> bytes:
    head = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", width, height)
    return head + bytes(filler)


def image(data: bytes | str, media_type: str = "image/png") -> Body:
    text = data if isinstance(data, str) else base64.b64encode(data).decode()
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": text}}


def document(data: bytes, **fields: Any) -> Body:
    source = {"type": "base64", "media_type": "application/pdf", "data": base64.b64encode(data).decode()}
    return {"type": "document", "source": source, **fields}


def url_image(url: str) -> Body:
    return {"type": "image", "source": {"type": "url", "url": url}}


def thought(text: str = "hmm", *, place: int = 0, of: int = 1, asked: Body | None = None) -> Body:
    """A thinking block as the fake issues it in answer to `asked`."""
    prefix = answer_prefix_digest(asked or body())
    signature = Seal(digest(text), prefix, "answer", place, of).signed()
    return {"type": "thinking", "thinking": text, "signature": signature}


def answered(*blocks: Body, **fields: Any) -> Body:
    return body("hello", ("assistant", [*blocks, TEXT]), "and now?", **fields)


def redacted(data: str) -> Body:
    return {"type": "redacted_thinking", "data": data}


@dataclass(frozen=True)
class Case:
    """A rule by name, a body it refuses with a fragment of the message, and one it lets pass.

    The accepted body is judged by the same profile and by legal headers, unless others are given.
    """

    rule: str
    refused: Any
    fragment: str
    accepted: Body
    profile: ModelProfile = LEGACY
    headers: Mapping[str, str] = field(default_factory=lambda: LEGAL_HEADERS)
    accepting_profile: ModelProfile | None = None
    accepting_headers: Mapping[str, str] = field(default_factory=lambda: LEGAL_HEADERS)
    status: int = 400

    def check(self) -> None:
        """Both halves."""
        found = refusal(self.refused, self.profile, self.headers)
        assert found is not None
        assert self.fragment in found.message
        assert found.status == self.status
        accepting = self.accepting_profile or self.profile
        assert refusal(self.accepted, accepting, self.accepting_headers) is None

    def shows(self, rule: Rule) -> bool:
        """Whether it is this rule that refuses the body."""
        terms = Terms.of(self.profile, self.headers)
        if MESSAGES_REQUEST(self.refused, "", terms) is not None:
            return False
        violated = first_violated(self.refused, terms)
        return violated is not None and violated[0] is rule


def rules_without_a_case(rules: Iterable[Rule], cases: Iterable[Case]) -> list[str]:
    """The names of the rules that no case shows at work."""
    every = list(cases)
    return [rule.__name__ for rule in rules if not any(case.shows(rule) for case in every)]
