"""Which model serves a request, and which models are listed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import InvalidRequest
from app.settings import Settings

_IMAGE_TYPES = ("image", "image_url", "input_image")


@dataclass(frozen=True, slots=True)
class Route:
    """`requested_model` is what the client reads in its answer, `upstream_model` what serves it."""

    requested_model: str
    upstream_model: str


def resolve(request: Mapping[str, Any], settings: Settings) -> Route:
    """The route of a chat, messages or count request.

    Without `model`: AUTOVISION_MODEL if there is an image anywhere, else AUTOTEXT_MODEL. After MODEL_MAP_JSON, what is
    for AUTOTEXT_MODEL and carries an image goes to AUTOVISION_MODEL; no other choice is overridden. The same for both
    APIs. Raises InvalidRequest if `model` is no string.
    """
    requested = request.get("model")
    if requested is not None and not isinstance(requested, str):
        raise InvalidRequest("Expected the name of a model, a string.", param="model", code="invalid_type")
    model = requested or (settings.autovision_model if has_image(request) else settings.autotext_model)
    upstream_model = settings.model_map_json.get(model, model)
    if upstream_model == settings.autotext_model and has_image(request):
        upstream_model = settings.autovision_model
    return Route(requested or upstream_model, upstream_model)


def has_image(request: Mapping[str, Any]) -> bool:
    """Whether any message holds an image, in either API's form, inside tool results and documents too; unvalidated."""
    stack = [request.get("messages")]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack += item
        elif isinstance(item, dict):
            if item.get("type") in _IMAGE_TYPES or _is_image_file(item):
                return True
            source = item.get("source")
            stack += [item.get("content"), source.get("content") if isinstance(source, dict) else None]
    return False


def _is_image_file(part: Mapping[str, Any]) -> bool:
    file = part.get("file")
    data = file.get("file_data") if isinstance(file, dict) else None
    return isinstance(data, str) and data.startswith("data:image/")


def listed_models(settings: Settings) -> list[str]:
    """The models of OPENAI_MODELS_LIST_JSON and the aliases of MODEL_MAP_JSON, each once."""
    return list(dict.fromkeys([*settings.openai_models_list_json, *settings.model_map_json]))
