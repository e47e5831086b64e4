"""Short ways to translate a chat request in a test."""

from typing import Any

from app.profiles.profile import Profile, profile_for
from app.translate.request import Options, Translation, messages_request
from tests.fake_upstream import LEGAL_HEADERS, refusal
from tests.fake_upstream import profile_for as strict_profile_for
from tests.fake_upstream.profiles import CLAUDE_FAMILIES
from tests.remembered import by_message

Json = dict[str, Any]
CLAUDE = "claude-sonnet-4-5"
NEWEST = "claude-opus-5-5"
HOSTS = {"glm": "api.z.ai", "deepseek": "api.deepseek.com", "kimi": "api.moonshot.ai", "MiniMax": "api.minimax.io"}
HELLO: Json = {"role": "user", "content": "Hello"}
WEATHER: Json = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def host_of(model: str) -> str:
    return next((host for start, host in HOSTS.items() if model.startswith(start)), "api.anthropic.com")


def translation(
    *messages: Json,
    model: str = CLAUDE,
    profile: Profile | None = None,
    options: Json | None = None,
    remembered: Json | None = None,
    **fields: Any,
) -> Translation:
    """The translation of a request with these messages (a greeting without any) and fields."""
    request = {"model": model, "messages": list(messages) or [HELLO], **fields}
    profile = profile or profile_for(host_of(model), model)
    known = by_message(messages, remembered or {})
    translated = messages_request(request, model, model, profile, Options(**(options or {})), known)
    if model in CLAUDE_FAMILIES:
        strict = strict_profile_for(model)
        assert strict is not None
        headers = {**LEGAL_HEADERS, **({"anthropic-beta": ",".join(translated.betas)} if translated.betas else {})}
        assert refusal(translated.body, strict, headers) is None
    return translated


def body(*messages: Json, **fields: Any) -> Json:
    """The Messages request alone."""
    return translation(*messages, **fields).body


def call(id: str = "call_1", name: str = "get_weather", arguments: str = '{"city":"Paris"}', **message: Any) -> Json:
    """An assistant message with one tool call."""
    made = {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
    return {"role": "assistant", "content": None, "tool_calls": [made], **message}


def result(id: str = "call_1", content: Any = "20 degrees") -> Json:
    return {"role": "tool", "tool_call_id": id, "content": content}


def user(content: Any) -> Json:
    return {"role": "user", "content": content}


def text(value: str) -> Json:
    """An Anthropic text block, which is an OpenAI text part too."""
    return {"type": "text", "text": value}


def tool_use(id: str = "call_1", name: str = "get_weather", **input: Any) -> Json:
    return {"type": "tool_use", "id": id, "name": name, "input": input or {"city": "Paris"}}


def tool_result(id: str = "call_1", content: Any = "20 degrees") -> Json:
    return {"type": "tool_result", "tool_use_id": id} | ({} if content is None else {"content": content})


def turns(request: Json) -> list[tuple[str, list[Json]]]:
    """(role, blocks) of a Messages request."""
    return [(message["role"], message["content"]) for message in request["messages"]]
