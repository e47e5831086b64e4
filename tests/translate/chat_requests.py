"""Hypothesis strategies for chat requests, legal and odd, in which every text, argument and image can be told apart."""

import base64
import itertools
import json
import struct
import uuid
import zlib
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.fake_upstream.signatures import Seal, digest

Json = dict[str, Any]
BLANKS = ["", " ", "\n\t ", "\u00a0", "\u2003"]
TOOL_NAMES = ["get_weather", "read file", "a.b/c", "x" * 70, "über", "mcp__server__do"]
CALL_IDS = ["call_0", "call_1", "toolu_01A", "functions.f:0", "id with blanks", "", "é"]
BAD_ARGUMENTS = [
    "",
    " ",
    "{",
    '{"a": 1',
    "[1, 2]",
    '"text"',
    "null",
    "NaN",
    '{"a": NaN}',
    '{"half": "\\ud83d"}',
    "1e999",
]
SCHEMAS: list[Any] = [
    None,
    {},
    {"type": "object"},
    {"properties": {"city": {"type": "string"}}},
    {"type": None, "properties": None, "required": None},
    {"type": ["object", "null"], "properties": {"a": {"type": ["string", "null"]}}},
    {"oneOf": [{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}, {"type": "null"}]},
    {"anyOf": [{"properties": {"a": {}}}, {"properties": {"a": {"type": "integer"}, "b": True}}]},
    {
        "allOf": [{"$ref": "#/$defs/A"}, {"required": ["b"], "properties": {"b": {}}}],
        "$defs": {"A": {"type": "object"}},
    },
    {"$ref": "#/definitions/A", "definitions": {"A": {"type": "object", "properties": {"me": {"$ref": "#"}}}}},
    {"$ref": "#/$defs/A", "$defs": {"A": {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "object"}]}}},
    {"type": "object", "properties": {"n": {"type": "integer", "exclusiveMinimum": True, "minimum": 1}}},
    {"type": "object", "properties": {"n": {"type": "any", "required": True, "default": None}}},
    {"type": "object", "properties": {"a b": {"type": "string"}, "é" * 70: {}}, "required": ["a b", "a b", 3]},
    {"type": "object", "properties": {"t": {"type": "array", "items": [{"type": "string"}], "additionalItems": False}}},
    {"type": "object", "properties": {"r": {"$ref": "#/properties/s"}, "s": {"type": "string", "nullable": True}}},
    {"type": "object", "properties": {"r": {"$ref": "#/nowhere"}, "p": {"pattern": "(?<x>a)", "minLength": -1}}},
    {"type": "array", "items": {"$ref": "#"}},
    {"type": "string", "enum": ["a", "b"]},
    {"type": "object", "additionalProperties": False, "properties": {"x": {"minimum": 3}}, "required": ["x"]},
    {"$schema": "http://json-schema.org/draft-04/schema#", "id": "x", "type": "object", "dependencies": {"a": ["b"]}},
    {"type": "object", "patternProperties": {"^x-": {}, "[": True}, "additionalProperties": False},
    {"type": "object", "properties": {"u": {"multipleOf": 0, "uniqueItems": "yes", "enum": "a", "anyOf": []}}},
]
ANSWER_SCHEMAS: list[Any] = [
    *(schema for schema in SCHEMAS if schema is not None),
    {"type": "object", "properties": {"a": {"type": ["object", "null"]}}, "required": ["a"]},
    {
        "type": "object",
        "properties": {"t": {"$ref": "#/$defs/T"}},
        "$defs": {"T": {"properties": {"t": {"$ref": "#/$defs/T"}}}},
    },
    {"type": "object", "properties": {str(n): {"anyOf": [{"type": "string"}, {"type": "null"}]} for n in range(30)}},
    {"type": "object", "properties": {"e": {"enum": [{}, 1]}, "f": {"type": "string", "format": "phone"}}},
]
OTHER_TOOLS: list[Json] = [
    {"name": "a.b/c", "description": "Anthropic's own form.", "input_schema": SCHEMAS[5], "strict": True},
    {"name": "über", "input_schema": SCHEMAS[6], "type": "custom", "defer_loading": True, **{"cache_control": None}},
    {"type": "function", "name": "get_weather", "parameters": SCHEMAS[5]},
    {"function": {"name": "get_weather", "parameters": {}}},
    {"type": "web_search_20250305", "name": "web_search", "max_uses": 3, "cache_control": {"type": "ephemeral"}},
    {"type": "browser_toolset_20260801"},
]
CACHE_MARKS: list[Json] = [
    {"cache_control": {"type": "ephemeral"}},
    {"cache_control": {"type": "ephemeral", "ttl": "1h"}},
    {"cache_control": {"type": "ephemeral", "ttl": "5m"}},
    {"prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}},
    {"prompt_cache_breakpoint": {"mode": "explicit"}},
]
PDF = b"%PDF-1.4\n1 0 obj <</Type /Page>> endobj\n%"


def png(number: int) -> bytes:
    """A real picture of one pixel, whose colour is `number`."""
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixel = zlib.compress(b"\0" + number.to_bytes(3, "big"))
    chunks = ((b"IHDR", header), (b"IDAT", pixel), (b"IEND", b""))
    packed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def gif(number: int) -> bytes:
    return b"GIF89a\x01\0\x01\0\x80\0\0" + number.to_bytes(3, "big") + b"\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;"


def webp(number: int) -> bytes:
    body = b"WEBPVP8L\x0d\0\0\0\x2f\0\0\0\0" + number.to_bytes(3, "big") + b"\0" * 6
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg(number: int) -> bytes:
    comment = b"\xff\xfe\0\x05" + number.to_bytes(3, "big")
    frame = b"\xff\xc0\0\x0b\x08\0\x01\0\x01\x01\x01\x11\0"
    return b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0" + comment + frame + b"\xff\xd9"


@dataclass
class Sent:
    """What a chat request holds, to be found again upstream."""

    texts: dict[str, str] = field(default_factory=dict)
    """Text -> the run of messages it belongs to (`role:number`)."""
    thinking: dict[str, str] = field(default_factory=dict)
    """Thinking text -> signed, unsigned, or foreign."""
    arguments: list[str] = field(default_factory=list)
    media: list[str] = field(default_factory=list)


class _Writer:
    """Draws the pieces of one chat request and keeps count of them."""

    def __init__(self, draw: DrawFn) -> None:
        self.draw = draw
        self.sent = Sent()
        self._numbers = itertools.count(1)
        self.run = ""

    def pick(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def rarely(self) -> bool:
        return bool(self.draw(st.integers(0, 4)) == 0)

    def text(self) -> str:
        """A text like no other, or a blank one."""
        if self.rarely():
            return str(self.pick(*BLANKS))
        text = (
            f"{self.pick('', ' ', chr(10))}text <{next(self._numbers)}>{self.pick('.', '!', ' ', '…', '😀 ', chr(0))}"
        )
        self.sent.texts[text] = self.run
        return text

    def marks(self) -> Json:
        return dict(self.pick(*CACHE_MARKS)) if self.rarely() else {}

    def text_part(self) -> Json:
        return {"type": "text", "text": self.text()} | self.marks()

    def image_part(self) -> Json:
        number = next(self._numbers)
        data = base64.b64encode(self.pick(png, gif, webp, jpeg)(number)).decode()
        self.sent.media.append(data)
        kind = self.pick("png", "jpeg", "webp", "gif", "jpg")
        url = f"data:image/{kind};base64,{self.pick(data, data.rstrip('='), f' {data[:20]} {data[20:]}')}"
        if self.rarely():
            url = f"https://example.com/{number:06}.png"
            self.sent.media[-1] = url
        part: Json = {"type": "image_url", "image_url": {"url": url, "detail": self.pick("auto", "high", None)}}
        return part | self.marks()

    def file_part(self) -> Json:
        number = next(self._numbers)
        if self.pick(True, False):
            data = base64.b64encode(PDF + f"{number:06}".encode()).decode()
            self.sent.media.append(data)
            url = f"data:{self.pick('application/pdf', 'application/octet-stream')};base64,{data}"
        else:
            text = f"file <{number}>"
            self.sent.texts[text] = self.run
            url = f"data:text/plain;base64,{base64.b64encode(text.encode()).decode()}"
        return {"type": "file", "file": {"filename": self.pick("a.pdf", "", None), "file_data": url}} | self.marks()

    def content(self, media: bool) -> Any:
        if self.pick(True, False):
            return None if self.rarely() else self.text()
        kinds = [self.text_part, *([self.image_part, self.file_part, self.anthropic_part] if media else [self.text])]
        return [self.pick(*kinds)() for _ in range(self.draw(st.integers(0, 3)))]

    def anthropic_part(self) -> Json:
        """An image or a document as Anthropic's own block, which some clients send."""
        number = next(self._numbers)
        if self.pick(True, False):
            data = base64.b64encode(self.pick(png, gif, webp, jpeg)(number)).decode()
            part: Json = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
        else:
            data = base64.b64encode(PDF + f"{number:06}".encode()).decode()
            part = {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": data},
                "title": self.pick("a.pdf", None),
                "citations": self.pick({"enabled": True}, None),
            }
        self.sent.media.append(data)
        return part | self.marks()

    def thinking(self) -> Json:
        """One of the forms in which clients send thinking back."""
        signed, answer = self.pick(True, False), str(next(self._numbers))
        count = self.draw(st.integers(1, 2))
        blocks = []
        for place in range(count):
            text = f"thinking <{next(self._numbers)}>"
            if signed:
                signature = Seal(digest(text), "", answer, place, count).signed()
            else:
                signature = self.pick("", None, str(uuid.UUID(int=place)), "0f" * 20)
            self.sent.thinking[text] = "signed" if signed else "foreign" if signature else "unsigned"
            blocks.append({"type": "thinking", "thinking": text, "signature": signature})
        details = [
            {
                "type": "reasoning.text",
                "text": b["thinking"],
                "signature": b["signature"],
                "format": "anthropic-claude-v1",
            }
            for b in blocks
        ]
        return self.pick(
            {"thinking_blocks": blocks},
            {"thinking_blocks": [{"index": 0, **block} for block in blocks], "reasoning_content": "ignored"},
            {"reasoning_details": details},
            {"provider_specific_fields": {"thinking_blocks": blocks}},
            {"content": blocks},
            {"thinking_blocks": None, "reasoning_details": None, "provider_specific_fields": {}, "content": blocks},
        )

    def arguments(self) -> str:
        if self.rarely():
            return str(self.pick(*BAD_ARGUMENTS))
        argument = f"argument <{next(self._numbers)}>"
        self.sent.arguments.append(argument)
        return json.dumps(self.pick({"city": argument}, {"a b": [argument]}, {"deep": {"er": argument}}))

    def call(self) -> Json:
        id = self.pick(*CALL_IDS)
        name = self.pick(*TOOL_NAMES)
        if self.rarely():
            argument = f"argument <{next(self._numbers)}>"
            self.sent.arguments.append(argument)
            return {"id": id, "type": "custom", "custom": {"name": name, "input": argument}}
        return {"id": id, "type": "function", "function": {"name": name, "arguments": self.arguments()}}

    def assistant(self) -> Json:
        message: Json = {"role": "assistant", "content": self.content(media=False)}
        if self.rarely():
            refusal = self.text()
            if isinstance(message["content"], list):
                message["content"].append({"type": "refusal", "refusal": refusal})
            else:
                message["refusal"] = refusal
        if self.pick(True, False):
            message["tool_calls"] = [self.call() for _ in range(self.draw(st.integers(0, 3)))] or None
        elif self.rarely():
            message["function_call"] = {"name": self.pick(*TOOL_NAMES), "arguments": self.arguments()}
        elif isinstance(message["content"], list):
            message["content"] += [self.tool_use() for _ in range(self.draw(st.integers(0, 3)))]
        if self.rarely():
            thinking = self.thinking()
            said = message["content"] if isinstance(message["content"], list) else []
            if "content" in thinking and message["content"] and not said:
                said = [message["content"]]
            message |= thinking | ({"content": [*thinking["content"], *said]} if "content" in thinking else {})
            if thinking.get("thinking_blocks") and isinstance(message["content"], list):
                self.spread(message.pop("thinking_blocks"), message["content"])
        if message["content"] is None and self.rarely():
            del message["content"]
        return message

    def tool_use(self) -> Json:
        """A call as Cursor sends it: Anthropic's block among the parts."""
        part = {"type": "tool_use", "id": self.pick(*CALL_IDS, None), "name": self.pick(*TOOL_NAMES)}
        argument = f"argument <{next(self._numbers)}>"
        self.sent.arguments.append(argument)
        return part | {"input": self.pick({"city": argument}, json.dumps({"city": argument}))} | self.marks()

    def tool_result(self) -> Json:
        """A result as Cursor sends it, among the parts of a user message."""
        part = {"type": "tool_result", "tool_use_id": self.pick(*CALL_IDS, None), "content": self.content(media=True)}
        return part | ({"is_error": self.pick(True, False, None)} if self.rarely() else {}) | self.marks()

    def spread(self, blocks: list[Json], parts: list[Json]) -> None:
        """Thinking blocks to any places among parts, in their order."""
        place = 0
        for block in blocks:
            place = self.draw(st.integers(place, len(parts)))
            parts.insert(place, {key: value for key, value in block.items() if key != "index"})
            place += 1

    def message(self, number: int, last_role: str) -> Json:
        role = self.pick("user", "user", "assistant", "assistant", "tool", "tool", "system", "developer", "function")
        kind = {"developer": "system", "function": "tool"}.get(role, role)
        self.run = self.run if kind == last_role and kind != "tool" else f"{kind}:{number}"
        if role == "assistant":
            message = self.assistant()
        elif role == "tool" and self.rarely():
            message = {"role": "user", "content": [self.tool_result() for _ in range(self.draw(st.integers(1, 3)))]}
        elif role in {"tool", "function"}:
            message = {"role": role, "content": self.content(media=True)}
            answered = {"tool_call_id": self.pick(*CALL_IDS)} if role == "tool" else {"name": self.pick(*TOOL_NAMES)}
            if role == "tool" and self.rarely():
                answered = {"tool_call_id": None, "name": self.pick(*TOOL_NAMES, None)}
            message |= answered
        else:
            message = {"role": role, "content": self.content(media=role == "user")}
        return message | self.marks() | ({"name": "Ann"} if role == "user" and self.rarely() else {})

    def messages(self) -> list[Json]:
        messages: list[Json] = []
        for number in range(self.draw(st.integers(1, 8))):
            messages.append(self.message(number, self.run.partition(":")[0]))
        return messages

    def tools(self) -> list[Json]:
        return [self.tool() for _ in range(self.draw(st.integers(0, 4)))]

    def tool(self) -> Json:
        name = self.pick(*TOOL_NAMES)
        if self.rarely():
            grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /a+/"}}
            return {"type": "custom", "custom": {"name": name, "format": self.pick({"type": "text"}, grammar)}}
        if self.rarely():
            return dict(self.pick(*OTHER_TOOLS))
        function: Json = {
            "name": name,
            "description": self.pick("A tool.", "", None),
            "strict": self.pick(True, False, None),
        }
        if self.pick(True, True, False):
            function["parameters"] = self.pick(*SCHEMAS)
        return {"type": "function", "function": function} | self.marks()


def _maybe(**fields: SearchStrategy[Any]) -> SearchStrategy[Json]:
    return st.fixed_dictionaries({}, optional=fields)


_EFFORTS = st.sampled_from(["none", "minimal", "low", "medium", "high", "xhigh", "max"])
REASONING = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"reasoning_effort": _EFFORTS}),
    st.fixed_dictionaries({"reasoning": _maybe(effort=_EFFORTS, enabled=st.booleans(), exclude=st.booleans())}),
    st.fixed_dictionaries({"reasoning": _maybe(max_tokens=st.sampled_from([0, 1, 1024, 5000, 200_000]))}),
    st.fixed_dictionaries({"enable_thinking": st.booleans()}),
    st.fixed_dictionaries({"chat_template_kwargs": _maybe(enable_thinking=st.booleans())}),
    st.sampled_from(
        [
            {"thinking": {"type": "enabled"}},
            {"thinking": {"type": "enabled", "budget_tokens": 1}},
            {"thinking": {"type": "enabled", "budget_tokens": 2000}},
            {"thinking": {"type": "enabled", "budget_tokens": 100_000, "display": "omitted"}},
            {"thinking": {"type": "adaptive"}},
            {"thinking": {"type": "disabled"}},
            {"thinking": {"type": "between_tools"}},
        ]
    ),
)
RESPONSE_FORMATS = st.one_of(
    st.sampled_from([{"type": "text"}, {"type": "json_object"}]),
    st.builds(
        lambda schema, strict: {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": schema, "strict": strict},
        },
        st.sampled_from(ANSWER_SCHEMAS),
        st.sampled_from([True, False, None]),
    ),
)
SAMPLING = _maybe(
    temperature=st.sampled_from([None, 0, 0.0, 0.7, 1, 1.0, 2]),
    top_p=st.sampled_from([None, 0, 0.5, 0.96, 1]),
    top_k=st.sampled_from([None, -1, 0, 5, 40.0]),
)
LIMITS = _maybe(
    max_tokens=st.sampled_from([None, 1, 16, 1500, 4096, 50_000, 2_000_000]),
    max_completion_tokens=st.sampled_from([None, 1, 2048, 300_000.0]),
)
REST = _maybe(
    stop=st.sampled_from([None, [], "END", " ", ["a", "a", "", "\n"], ["1", "2", "3", "4"]]),
    stream=st.booleans(),
    n=st.just(1),
    user=st.sampled_from(["u1", "ann@example.com", "x" * 600, " "]),
    metadata=st.sampled_from([{}, {"user_id": "u2", "task": "t"}]),
    service_tier=st.sampled_from(["auto", "default", "flex", "priority"]),
    parallel_tool_calls=st.booleans(),
    seed=st.integers(0, 9),
    logit_bias=st.just({"1": 2}),
    store=st.booleans(),
    web_search_options=st.sampled_from(
        [{}, {"search_context_size": "low", "user_location": {"approximate": {"city": "Rome"}}}]
    ),
    cache_control=st.sampled_from([{"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}]),
    mcp_servers=st.just([{"type": "url", "name": "m", "url": "https://m.example"}]),
    container=st.just("container_1"),
)


def _choices(tools: list[Json]) -> list[Any]:
    choices: list[Any] = [
        "auto",
        "none",
        "required",
        None,
        {"type": "auto"},
        {"type": "any", "disable_parallel_tool_use": True},
    ]
    named = [{"type": t["type"], t["type"]: {"name": t[t["type"]]["name"]}} for t in tools if t.get("type") in t]
    if named:
        choices += named
        choices += [
            {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": named[:1]}}
            for mode in ("auto", "required")
        ]
    return choices


@st.composite
def chat_requests(draw: DrawFn) -> tuple[Json, Sent]:
    """(a chat request without model, what it holds)."""
    writer = _Writer(draw)
    request: Json = {"messages": writer.messages()}
    tools = writer.tools()
    if tools and writer.rarely():
        request["functions"] = [tool["function"] for tool in tools if isinstance(tool.get("function"), dict)]
    elif tools or writer.rarely():
        request["tools"] = tools
        request["tool_choice"] = writer.pick(*_choices(tools))
    for part in (REASONING, SAMPLING, LIMITS, REST):
        request |= draw(part)
    if writer.rarely():
        request["response_format"] = draw(RESPONSE_FORMATS)
    return request, writer.sent
