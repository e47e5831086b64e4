"""The few checks without which a Messages request cannot be answered at all."""

from typing import Any

from app.sandbox.api_error import ApiError

_ROLES = ("user", "assistant", "system")


def check_messages_request(body: Any) -> None:
    """Raise ApiError 400, in the API's own wording, unless `body` can be answered."""
    check_countable_request(body)
    if "max_tokens" not in body:
        raise ApiError(400, "max_tokens: Field required")
    max_tokens = body["max_tokens"]
    if not isinstance(max_tokens, int) or isinstance(max_tokens, bool):
        raise ApiError(400, "max_tokens: Input should be a valid integer")
    if max_tokens < 1:
        raise ApiError(400, "max_tokens: Input should be greater than or equal to 1")
    _check_types(
        body,
        {"stream": (bool, "boolean"), "tool_choice": (dict, "dictionary"), "thinking": (dict, "dictionary")},
    )
    _check_types(body, {"stop_sequences": (list, "list"), "output_config": (dict, "dictionary")})


def check_countable_request(body: Any) -> None:
    """The checks that count_tokens shares: a model, messages, and the tools' shape."""
    if not isinstance(body, dict):
        raise ApiError(400, "Input should be a valid dictionary or object to extract fields from")
    if "model" not in body:
        raise ApiError(400, "model: Field required")
    if not isinstance(body["model"], str):
        raise ApiError(400, "model: Input should be a valid string")
    _check_types(body, {"messages": (list, "list"), "tools": (list, "list")})
    if "messages" not in body:
        raise ApiError(400, "messages: Field required")
    if not body["messages"]:
        raise ApiError(400, "messages: at least one message is required")
    for index, message in enumerate(body["messages"]):
        _check_message(message, f"messages.{index}")
    for index, tool in enumerate(body.get("tools", ())):
        if not isinstance(tool, dict) or not isinstance(tool.get("name", ""), str):
            raise ApiError(400, f"tools.{index}: Input should be a valid dictionary")


def _check_types(body: dict[str, Any], expected: dict[str, tuple[type, str]]) -> None:
    for field, (kind, name) in expected.items():
        if field in body and not isinstance(body[field], kind):
            raise ApiError(400, f"{field}: Input should be a valid {name}")


def _check_message(message: Any, path: str) -> None:
    if not isinstance(message, dict):
        raise ApiError(400, f"{path}: Input does not match the expected shape.")
    if message.get("role") not in _ROLES:
        raise ApiError(400, f"{path}.role: Input should be 'user' or 'assistant'")
    if "content" not in message:
        raise ApiError(400, f"{path}.content: Field required")
    content = message["content"]
    if not isinstance(content, (str, list)):
        raise ApiError(400, f"{path}.content: Input should be a valid string")
    if isinstance(content, list):
        for index, block in enumerate(content):
            if not isinstance(block, dict) or not isinstance(block.get("type"), str):
                raise ApiError(400, f"{path}.content.{index}.type: Field required")
