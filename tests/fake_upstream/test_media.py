"""The strict fake on images, documents, cache breakpoints and structured output."""

import pytest

from tests.fake_upstream import LEGACY, rules_cache, rules_media, rules_output_format
from tests.fake_upstream.cases import (
    CACHED,
    CLOSED,
    PDF,
    RESULT,
    TEXT,
    TOOL,
    Case,
    body,
    document,
    image,
    looped,
    output,
    png,
    rules_without_a_case,
    url_image,
)
from tests.fake_upstream.profiles import OLDER

BIG = 5 * 1024 * 1024
MEDIA = [
    Case(
        "image media type",
        body([image(png(), "image/bmp")]),
        "messages.0.content.0.image.source.base64.media_type: "
        "Input should be 'image/jpeg', 'image/png', 'image/gif' "
        "or 'image/webp'",
        body([image(png())]),
    ),
    Case(
        "image of another type",
        body([TEXT, image(png(), "image/jpeg")]),
        "messages.0.content.1.image.source.base64: "
        "The image was specified using the image/jpeg media type, but the "
        "image appears to be a image/png image",
        body([TEXT, image(png())]),
    ),
    Case(
        "image too large",
        body([image(png(filler=BIG))]),
        f"image exceeds 5 MB maximum: {BIG + 24} bytes > {BIG} bytes",
        body([image(png(filler=BIG - 24))]),
    ),
    Case("image too wide", body([image(png(8001))]), "max allowed size: 8000 pixels", body([image(png(8000))])),
    Case(
        "many images too wide",
        body([image(png(2001))] * 21),
        "max allowed size for many-image requests: 2000 pixels",
        body([image(png(2001))] * 20),
    ),
    Case("bad base64", body([image("not base64!")]), "base64.data: Invalid base64 data", body([image(png())])),
    Case(
        "data URL as data",
        body([image("data:image/png;base64,AAAA")]),
        "Invalid base64 data",
        body([image(png())]),
    ),
    Case("no image", body([image(b"hello")]), "Could not process image", body([image(png())])),
    Case("too many images", body([image(png())] * 101), "Too many images", body([image(png())] * 100)),
    Case(
        "image in a tool result",
        looped(result={**RESULT, "content": [image(png(), "image/gif")]}),
        "messages.2.content.0.tool_result.content.0.image.source.base64: The image was specified",
        looped(result={**RESULT, "content": [image(png())]}),
    ),
    Case(
        "image URL not https",
        body([url_image("http://example.com/x.png")]),
        "Only HTTPS URLs are supported.",
        body([url_image("https://example.com/x.png")]),
    ),
    Case(
        "image URL unreachable",
        body([url_image("https://nowhere.invalid/x.png")]),
        "Unable to download the file. Please verify the URL and try again.",
        body([url_image("https://example.com/x.png")]),
    ),
    Case(
        "document media type",
        body([{"type": "document", "source": {"type": "base64", "media_type": "text/html", "data": "AAAA"}}]),
        "messages.0.content.0.document.source.base64.media_type: Input should be 'application/pdf'",
        body([document(PDF)]),
    ),
    Case("no PDF", body([document(b"hello")]), "The PDF specified was not valid.", body([document(PDF)])),
    Case("locked PDF", body([document(PDF + b"/Encrypt 5 0 R")]), "password protected", body([document(PDF)])),
    Case(
        "long PDF",
        body([document(PDF + b"/Type/Page " * 100)]),
        "A maximum of 100 PDF pages may be provided.",
        body([document(PDF + b"/Type/Pages " * 100)]),
    ),
    Case(
        "document source without type",
        body([{"type": "document", "source": {"data": "x"}}]),
        "messages.0.content.0.document.source.type: Field required",
        body([{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}]),
    ),
]
SHORT, HOUR = CACHED, {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
CACHE = [
    Case(
        "too many breakpoints",
        body([{**TEXT, **CACHED}] * 4, **CACHED),
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
        body([{**TEXT, **CACHED}] * 4),
    ),
    Case(
        "cache_control on empty text",
        body([{**TEXT, "text": "", **CACHED}]),
        "messages.0.content.0.text: cache_control cannot be set for empty text blocks",
        body([{**TEXT, **CACHED}]),
    ),
    Case(
        "unknown ttl",
        body(cache_control={"type": "ephemeral", "ttl": "2h"}),
        "cache_control.ephemeral.ttl: Input should be '5m' or '1h'",
        body(**HOUR),
    ),
    Case(
        "long after short",
        body([{**TEXT, **HOUR}], tools=[{**TOOL, **SHORT}]),
        "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block",
        body([{**TEXT, **SHORT}], tools=[{**TOOL, **HOUR}]),
    ),
    Case(
        "unknown cache_control type",
        body(cache_control={"type": "persistent"}),
        "cache_control: Input tag 'persistent' found using 'type'",
        body(cache_control=None),
    ),
    Case(
        "unknown cache_control field",
        body(cache_control={"type": "ephemeral", "x": 1}),
        "cache_control.ephemeral.x: Extra inputs are not permitted",
        body(**CACHED),
    ),
]
CITED = document(PDF, citations={"enabled": True})
NODE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}, "additionalProperties": False}
LIST = {"type": "array", "items": {"type": "string"}}
OUTPUT_FORMAT = [
    *(
        Case(
            f"unsupported in output: {name}",
            output({**CLOSED, "properties": {"city": value}}),
            f"output_config.format.schema: {fragment}",
            output({**CLOSED, "properties": {"city": {**LIST, "minItems": 1, "description": "x"}}}),
        )
        for name, value, fragment in [
            (
                "uniqueItems",
                {**LIST, "uniqueItems": True},
                "For 'array' type, property 'uniqueItems' is not supported",
            ),
            ("minItems 2", {**LIST, "minItems": 2}, "For 'array' type, 'minItems'"),
            (
                "minimum",
                {"type": "integer", "minimum": 1},
                "For 'integer' type, property 'minimum' is not supported",
            ),
            ("maxLength", {"type": "string", "maxLength": 1}, "For 'string' type, property 'maxLength'"),
            ("oneOf", {"oneOf": [{"type": "string"}]}, "Schema type 'oneOf' is not supported"),
            ("not", {"not": {}}, "Schema type 'not' is not supported"),
            ("format", {"type": "string", "format": "regex"}, "For 'string' type, format 'regex'"),
            ("external reference", {"$ref": "https://example.com/x"}, "External schema reference"),
            ("patternProperties", {"type": "object", "patternProperties": {}}, "For 'object' type"),
            ("enum of objects", {"enum": [{}]}, "Enum value must be"),
        ]
    ),
    Case(
        "recursive output schema",
        output({**NODE, "$defs": {"node": NODE}}),
        "Recursive schemas are not supported",
        output({**CLOSED, "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"type": "string"}}}),
    ),
    Case("invalid output schema", output({"type": "any"}), "JSON schema is invalid.", output(CLOSED)),
    Case(
        "open object in output",
        output({**CLOSED, "properties": {"city": {"type": "object"}}}),
        "For 'object' type, 'additionalProperties' must be explicitly set to false",
        output(CLOSED),
    ),
    Case(
        "output format with citations",
        {**output(CLOSED), "messages": body([CITED])["messages"]},
        "incompatible with citations",
        body([CITED]),
    ),
    Case(
        "output format with a prefill",
        {**output(CLOSED), "messages": body("a", ("assistant", "{"))["messages"]},
        "incompatible with message prefilling",
        body("a", ("assistant", "{")),
    ),
    Case(
        "name in the output format",
        output(CLOSED, name="x"),
        "output_config.format.json_schema.name: Extra inputs are not permitted",
        output(CLOSED),
    ),
    Case(
        "output format on older models",
        output(CLOSED),
        "does not support output format",
        output(CLOSED),
        OLDER,
        accepting_profile=LEGACY,
    ),
]


@pytest.mark.parametrize("case", [*MEDIA, *CACHE, *OUTPUT_FORMAT], ids=lambda case: case.rule)
def test_refuses_the_illegal_and_accepts_its_legal_twin(case: Case) -> None:
    case.check()


def test_every_rule_has_a_case() -> None:
    assert (
        rules_without_a_case(
            [*rules_media.RULES, *rules_cache.RULES, *rules_output_format.RULES],
            [*MEDIA, *CACHE, *OUTPUT_FORMAT],
        )
        == []
    )
