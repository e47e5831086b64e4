"""The requests that the load sends, byte for byte."""

from __future__ import annotations

from typing import Any

import orjson

from bench.answers import TOOL, Script
from bench.targets import Target

KEY = "sk-bench-0123456789012345678901234567890123456789"
_CLIENT_HEADERS = {
    "accept": "application/json",
    "accept-encoding": "gzip, deflate",
    "connection": "keep-alive",
    "user-agent": "bench/1.0",
}
SDK_HEADERS = {
    "accept": "application/json",
    "accept-encoding": "gzip, deflate",
    "connection": "keep-alive",
    "user-agent": "OpenAI/Python 3.54.0",
    "x-stainless-lang": "python",
    "x-stainless-package-version": "3.54.0",
    "x-stainless-os": "Linux",
    "x-stainless-arch": "x64",
    "x-stainless-runtime": "CPython",
    "x-stainless-runtime-version": "3.11.7",
    "x-stainless-async": "false",
    "x-stainless-raw-response": "stream",
    "x-stainless-retry-count": "0",
    "x-stainless-read-timeout": "600",
}
"""What OpenAI's Python SDK sends beside the key and the content type."""
_TALK = [
    ("user", "How would you store a list of opening hours per weekday so that holidays can override them later?"),
    (
        "assistant",
        "Keep the regular hours in one table, one row per weekday and interval, and the exceptions in another one "
        "that is keyed by date; a lookup asks the second first and takes what it finds there as the whole day.",
    ),
    ("user", "And how do I ask whether it is open right now, in the time zone of the shop and not of the server?"),
]
_SYSTEM = "You are a careful assistant. Answer in short, complete sentences and name what you are not sure of."
_TOOL_SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}

_AGENT_TOOLS = ("read", "write", "edit", "list", "search", "run", "fetch", "plan")
_AGENT_SCHEMA = {
    "type": "object",
    "properties": {
        "path": {"type": "string", "description": "Relative to the project."},
        "command": {"type": "string"},
        "lines": {"type": "array", "items": {"type": "integer", "minimum": 1}},
        "options": {"type": "object", "properties": {"recursive": {"type": "boolean"}}, "additionalProperties": False},
    },
    "required": ["path"],
}


def http_request(
    target: Target, path: str, body: dict[str, Any], key_header: tuple[str, str], client: dict[str, str] | None = None
) -> bytes:
    content = orjson.dumps(body)
    headers = {"host": f"127.0.0.1:{target.port}"} | (client or _CLIENT_HEADERS)
    headers |= {key_header[0]: key_header[1], "content-type": "application/json"} | dict(target.headers)
    headers["content-length"] = str(len(content))
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def chat_request(
    target: Target,
    script: Script,
    stream: bool,
    turns: list[tuple[str, str]] = _TALK,
    client: dict[str, str] | None = None,
) -> bytes:
    """A request of about 0.8 KB, or as large as its `turns` make it."""
    body: dict[str, Any] = {"model": target.model, "messages": [{"role": "system", "content": _SYSTEM}]}
    body["messages"] += [{"role": role, "content": text} for role, text in turns[:-1]]
    body["messages"].append({"role": "user", "content": f"{turns[-1][1]} {script.marker}"})
    body |= {"max_completion_tokens": 2048, "temperature": 0.7, "stream": stream}
    if script.content == "tools":
        function = {"name": TOOL, "description": "Write a text file.", "parameters": _TOOL_SCHEMA}
        body["tools"] = [{"type": "function", "function": function}]
    assert target.chat_path
    return http_request(target, target.chat_path, body, ("authorization", f"Bearer {KEY}"), client)


def agent_request(target: Target, script: Script) -> bytes:
    """A coding agent's request of about 23 KB: eight tools, and 24 calls with their results, in twelve answers."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": _TALK[0][1]}]
    for number in range(0, 24, 2):
        calls = [_AGENT_TOOLS[(number + more) % len(_AGENT_TOOLS)] for more in (0, 1)]
        ids = [f"call_{number + more:02}Rk7vQ2mWx9LpZ4tYb8" for more in (0, 1)]
        arguments = orjson.dumps({"path": f"src/module_{number}.py", "command": "python -m pytest -x"}).decode()
        made = [
            {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
            for id, name in zip(ids, calls, strict=True)
        ]
        messages.append({"role": "assistant", "content": f"Next I look at module {number}.", "tool_calls": made})
        result = f"{number}: def function(argument: str) -> int:\n    return len(argument)\n" * 8
        messages += [{"role": "tool", "tool_call_id": id, "content": result} for id in ids]
    messages.append({"role": "user", "content": f"{_TALK[-1][1]} {script.marker}"})
    tools = [
        {"type": "function", "function": {"name": name, "description": f"{name} a file.", "parameters": _AGENT_SCHEMA}}
        for name in _AGENT_TOOLS
    ]
    body = {"model": target.model, "messages": messages, "tools": tools, "max_completion_tokens": 2048}
    assert target.chat_path
    return http_request(target, target.chat_path, body, ("authorization", f"Bearer {KEY}"))


def messages_request(target: Target, script: Script, stream: bool) -> bytes:
    """The same talk as a request of the Messages API."""
    body: dict[str, Any] = {"model": target.model, "max_tokens": 2048, "system": _SYSTEM, "stream": stream}
    body["messages"] = [{"role": role, "content": text} for role, text in _TALK[:-1]]
    body["messages"].append({"role": "user", "content": f"{_TALK[-1][1]} {script.marker}"})
    assert target.messages_path
    client = _CLIENT_HEADERS | {"anthropic-version": "2023-06-01"}
    return http_request(target, target.messages_path, body, ("x-api-key", KEY), client)


def long_talk(size: int) -> list[tuple[str, str]]:
    """Turns of about 2.4 KB each, `size` bytes together, in the mix of prose, code and line breaks of real ones."""
    turns: list[tuple[str, str]] = []
    left = size
    while left > 0:
        number = len(turns)
        prose = f"Part {number} of the talk, about module_{number}.py and what it \u201creally\u201d does.\n" * 12
        code = f"def function_{number}(argument: str) -> int:\n    return len(argument) + {number}\n\n" * 18
        turns.append(("user" if number % 2 == 0 else "assistant", prose + code))
        left -= len((prose + code).encode())
    if len(turns) % 2 == 0:
        turns.append(("user", "Go on."))
    return turns
