"""The model list in both APIs' shapes, and which model serves a request."""

import itertools
import json
from typing import Any

import pytest
import responses

from tests.blueprints.conftest import PNG, Proxy, sent

ANTHROPIC = {"anthropic-version": "2023-06-01"}
ODD_IDS = [
    "z-ai/glm-4.6",
    "org/sub/model:free",
    "claude-sonnet-4-5[1m]",
    "qwen3:30b-a3b",
    "模型",
    "a b",
    "100%",
    "x?y#z",
]


def test_openais_shape(proxy: Proxy) -> None:
    body = proxy(MODEL_MAP_JSON='{"gpt-4o": "glm-4.5"}').get("/v1/models").json
    assert body["object"] == "list"
    assert [model["id"] for model in body["data"]] == ["glm-4.5", "glm-4.5v", "gpt-4o"]
    assert all(
        set(model) == {"id", "object", "created", "owned_by"} and model["object"] == "model" for model in body["data"]
    )


def test_anthropics_shape(proxy: Proxy) -> None:
    body = proxy(MODEL_MAP_JSON='{"claude-x": "glm-4.5"}').get("/v1/models", headers=ANTHROPIC).json
    assert [model["id"] for model in body["data"]] == ["glm-4.5", "glm-4.5v", "claude-x"]
    assert (body["has_more"], body["first_id"], body["last_id"]) == (False, "glm-4.5", "claude-x")
    for model in body["data"]:
        assert (model["type"], model["display_name"], model["lifecycle"]) == ("model", model["id"], "active")
        assert model["created_at"].endswith("Z")


@pytest.mark.parametrize("id", ODD_IDS)
@pytest.mark.parametrize("encoded", [False, True])
def test_odd_ids(proxy: Proxy, id: str, encoded: bool) -> None:
    client = proxy(OPENAI_MODELS_LIST_JSON=json.dumps(ODD_IDS))
    assert id in [model["id"] for model in client.get("/v1/models").json["data"]]
    always = "%?# "
    path = "".join(
        character if not encoded and character not in always else "".join(f"%{byte:02X}" for byte in character.encode())
        for character in id
    )
    answer = client.get(f"/v1/models/{path}")
    assert (answer.status_code, answer.json.get("id")) == (200, id)
    assert client.get(f"/v1/models/{path}", headers=ANTHROPIC).json["type"] == "model"


def test_an_unknown_model(proxy: Proxy) -> None:
    client = proxy()
    answer = client.get("/v1/models/no/such:model")
    assert answer.status_code == 404
    assert answer.json["error"]["code"] == "model_not_found"
    answer = client.get("/v1/models/no-such", headers=ANTHROPIC)
    assert answer.status_code == 404
    assert answer.json["error"] == {"type": "not_found_error", "message": "model: no-such"}


def page(client: Any, query: str) -> Any:
    body = client.get(f"/v1/models?{query}", headers=ANTHROPIC).json
    return "".join(model["id"] for model in body["data"]), body["has_more"], body["first_id"], body["last_id"]


def test_pages(proxy: Proxy) -> None:
    client = proxy(OPENAI_MODELS_LIST_JSON=json.dumps(list("abcde")))
    assert page(client, "limit=2") == ("ab", True, "a", "b")
    assert page(client, "limit=2&after_id=b") == ("cd", True, "c", "d")
    assert page(client, "limit=2&after_id=d") == ("e", False, "e", "e")
    assert page(client, "limit=2&after_id=e") == ("", False, None, None)
    assert page(client, "limit=2&before_id=e") == ("cd", True, "c", "d")
    assert page(client, "limit=9&before_id=c") == ("ab", False, "a", "b")
    assert page(client, "after_id=unknown") == ("abcde", False, "a", "e")
    for limit in ("0", "1001", "-1", "x", "", "1.5"):
        answer = client.get(f"/v1/models?limit={limit}", headers=ANTHROPIC)
        assert answer.status_code == 400
        assert answer.json["error"]["message"].startswith("limit: ")


PATHS = ("/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens")
IMAGES: dict[str, dict[str, Any]] = {
    "part": {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
    "block": {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
}
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]


def chat_history(image: dict[str, Any] | None, in_result: bool) -> list[dict[str, Any]]:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    text = {"type": "text", "text": "look"}
    shown = [text, image] if image else [text]
    return [
        {"role": "user", "content": [text] if in_result else shown},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": shown if in_result else [text]},
    ]


def messages_history(image: dict[str, Any] | None, in_result: bool) -> list[dict[str, Any]]:
    text = {"type": "text", "text": "look"}
    shown = [text, image] if image else [text]
    result = {"type": "tool_result", "tool_use_id": "t1", "content": shown if in_result else "x"}
    return [
        {"role": "user", "content": [text] if in_result else shown},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]},
        {"role": "user", "content": [result]},
    ]


def request(path: str, model: str | None, image: bool, in_result: bool) -> dict[str, Any]:
    if "chat" in path:
        body = {"messages": chat_history(IMAGES["part"] if image else None, in_result), "tools": TOOLS}
    else:
        body = {"messages": messages_history(IMAGES["block"] if image else None, in_result), "max_tokens": 9}
    return body if model is None else body | {"model": model}


ENVIRON = {
    "AUTOTEXT_MODEL": "text",
    "AUTOVISION_MODEL": "vision",
    "MODEL_MAP_JSON": '{"alias-of-text": "text", "alias": "other", "text-mapped-away": "x"}',
}


@pytest.mark.parametrize(("path", "in_result"), [*itertools.product(PATHS, [False, True])])
@pytest.mark.parametrize(
    ("model", "image", "served"),
    [
        (None, False, "text"),
        (None, True, "vision"),
        ("", False, "text"),
        ("", True, "vision"),
        ("text", False, "text"),
        ("text", True, "vision"),
        ("alias-of-text", False, "text"),
        ("alias-of-text", True, "vision"),
        ("alias", True, "other"),
        ("vision", False, "vision"),
        ("explicit", True, "explicit"),
        ("glm-4.5", True, "glm-4.5"),
    ],
)
def test_which_model_serves(
    proxy: Proxy,
    answering: responses.RequestsMock,
    path: str,
    in_result: bool,
    model: str | None,
    image: bool,
    served: str,
) -> None:
    answer = proxy(**ENVIRON).post(path, json=request(path, model, image, in_result))
    assert answer.status_code == 200, answer.text
    assert sent(answering)["model"] == served
    assert answer.headers["x-upstream-model"] == served
    if "chat" in path:
        assert answer.json["model"] == (model or served)
    elif "count" not in path:
        assert answer.json["model"] == "served-model"
