"""Which model serves a request: the rules, without an application."""

from typing import Any

import pytest

from app.errors import InvalidRequest
from app.routing import Route, has_image, listed_models, resolve
from app.settings import Settings

IMAGE = {"type": "image", "source": {"type": "url", "url": "https://x/a.png"}}


def said(*content: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(content)}]}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (said(IMAGE), True),
        (said({"type": "image_url", "image_url": {"url": "x"}}), True),
        (said({"type": "input_image", "image_url": "x"}), True),
        (said({"type": "file", "file": {"file_data": "data:image/png;base64,AA"}}), True),
        (said({"type": "file", "file": {"file_data": "data:application/pdf;base64,AA"}}), False),
        (said({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "x"}, IMAGE]}), True),
        (said({"type": "tool_result", "content": [{"type": "tool_result", "content": [IMAGE]}]}), True),
        (said({"type": "document", "source": {"type": "content", "content": [IMAGE]}}), True),
        (said({"type": "document", "source": {"type": "base64", "media_type": "application/pdf"}}), False),
        (said({"type": "text", "text": '{"type": "image"}'}), False),
        (said({"type": "tool_use", "name": "f", "input": {"type": "image"}}), False),
        ({"messages": [{"role": "user", "content": IMAGE}]}, True),
        ({"messages": [{"role": "tool", "content": [{"type": "image_url"}]}]}, True),
        ({"messages": "image"}, False),
        ({"messages": [[[]], 7, None, {"type": {}}, {"content": [{"type": ["image"]}]}]}, False),
        ({"system": [IMAGE]}, False),
        ({}, False),
    ],
)
def test_images_are_found_wherever_they_are(body: dict[str, Any], expected: bool) -> None:
    assert has_image(body) is expected


def test_a_deep_history_is_searched_without_recursion() -> None:
    content: Any = [IMAGE]
    for _ in range(50_000):
        content = [{"type": "tool_result", "content": content}]
    assert has_image({"messages": [{"content": content}]})


@pytest.mark.parametrize(
    ("environ", "body", "expected"),
    [
        # The automatic models are names like any other: they are mapped too.
        ({"MODEL_MAP_JSON": '{"t": "t2"}'}, said("x"), Route("t2", "t2")),
        ({"MODEL_MAP_JSON": '{"v": "v2"}'}, said(IMAGE), Route("v2", "v2")),
        # What is switched after mapping is not mapped again.
        ({"MODEL_MAP_JSON": '{"a": "t", "v": "v2"}'}, said(IMAGE) | {"model": "a"}, Route("a", "v")),
        # An alias of the text model is the text model, the text model mapped away is not.
        ({"MODEL_MAP_JSON": '{"a": "t"}'}, said(IMAGE) | {"model": "a"}, Route("a", "v")),
        ({"MODEL_MAP_JSON": '{"t": "x"}'}, said(IMAGE) | {"model": "t"}, Route("t", "x")),
        # One step only.
        ({"MODEL_MAP_JSON": '{"a": "b", "b": "c"}'}, said("x") | {"model": "a"}, Route("a", "b")),
        ({}, said(IMAGE) | {"model": "other"}, Route("other", "other")),
        ({}, said(IMAGE) | {"model": "T"}, Route("T", "T")),
        ({}, said("x") | {"model": None}, Route("t", "t")),
    ],
)
def test_rules(environ: dict[str, str], body: dict[str, Any], expected: Route) -> None:
    settings = Settings.from_env({"AUTOTEXT_MODEL": "t", "AUTOVISION_MODEL": "v"} | environ)
    assert resolve(body, settings) == expected


@pytest.mark.parametrize("model", [7, True, ["t"], {"id": "t"}, 0, False, []])
def test_a_model_is_a_string(model: Any) -> None:
    with pytest.raises(InvalidRequest) as raised:
        resolve({"model": model}, Settings())
    assert raised.value.param == "model"


def test_listed_models_come_once() -> None:
    environ = {"OPENAI_MODELS_LIST_JSON": '["a", "b", "a"]', "MODEL_MAP_JSON": '{"b": "x", "c": "y"}'}
    assert listed_models(Settings.from_env(environ)) == ["a", "b", "c"]
