"""A model name put into a JSON request as bytes, everything else left as the client wrote it."""

from __future__ import annotations

import json
import re

_BLANK = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


def with_model(body: bytes, model: str) -> bytes:
    """`body`, a JSON object already checked, with `model` as its top-level model; keys keep their order."""
    source = body.decode("utf-8")
    value = json.dumps(model)
    start = _BLANK.match(source).end() + 1  # type: ignore[union-attr]
    position = start
    while source[(position := _skip(source, position))] == '"':
        key, position = _DECODER.raw_decode(source, position)
        position = _skip(source, _skip(source, position) + 1)
        _, end = _DECODER.raw_decode(source, position)
        if key == "model":
            return f"{source[:position]}{value}{source[end:]}".encode()
        position = _skip(source, end)
        if source[position] == "}":
            break
        position += 1
    comma = "," if position > start and source[_skip(source, start)] != "}" else ""
    return f'{source[:start]}"model":{value}{comma}{source[start:]}'.encode()


def _skip(source: str, position: int) -> int:
    match = _BLANK.match(source, position)
    assert match is not None
    return match.end()
