"""GET /v1/models and /v1/models/<id>, in the shape of the API that the client speaks."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from app.blueprints import PREFIXES
from app.current import current_request
from app.dialect import speaks_anthropic
from app.errors import InvalidRequest, NotFound
from app.routing import listed_models

blueprint = Blueprint("models", __name__)
CREATED, CREATED_AT = 1_735_689_600, "2025-01-01T00:00:00Z"
"""The configuration knows no dates, and both SDKs ask for one: the same instant, in each API's form."""


def list_models() -> Response:
    inbound = current_request()
    inbound.require_proxy_key()
    ids = listed_models(inbound.settings)
    if not speaks_anthropic(inbound.path, inbound.header_values):
        return jsonify(object="list", data=[_openai_model(id) for id in ids])
    page, has_more = _page(ids)
    return jsonify(
        data=[_anthropic_model(id) for id in page],
        has_more=has_more,
        first_id=page[0] if page else None,
        last_id=page[-1] if page else None,
    )


def retrieve_model(id: str) -> Response:
    inbound = current_request()
    inbound.require_proxy_key()
    if id not in listed_models(inbound.settings):
        if speaks_anthropic(inbound.path, inbound.header_values):
            raise NotFound(f"model: {id}")
        raise NotFound(
            f"The model `{id}` does not exist or you do not have access to it.", param="model", code="model_not_found"
        )
    return jsonify(_anthropic_model(id) if speaks_anthropic(inbound.path, inbound.header_values) else _openai_model(id))


def _openai_model(id: str) -> dict[str, Any]:
    return {"id": id, "object": "model", "created": CREATED, "owned_by": "anthropic-proxy"}


def _anthropic_model(id: str) -> dict[str, Any]:
    unknown = dict.fromkeys(
        ("max_input_tokens", "max_tokens", "line", "deprecated_at", "retires_at", "capabilities"), None
    )
    return {"type": "model", "id": id, "display_name": id, "created_at": CREATED_AT, "lifecycle": "active"} | unknown


def _page(ids: list[str]) -> tuple[list[str], bool]:
    """(ids, whether more follow) for Anthropic's cursors `limit`, `after_id` and `before_id`."""
    try:
        limit = int(request.args.get("limit", 20))
    except ValueError:
        limit = 0
    if not 1 <= limit <= 1000:
        raise InvalidRequest("Input should be a whole number from 1 to 1000.", param="limit")
    after, before = request.args.get("after_id"), request.args.get("before_id")
    if before in ids:
        ids = ids[: ids.index(before)]
        return ids[-limit:], len(ids) > limit
    if after in ids:
        ids = ids[ids.index(after) + 1 :]
    return ids[:limit], len(ids) > limit


for prefix in PREFIXES:
    blueprint.get(f"{prefix}/models")(list_models)
    blueprint.get(f"{prefix}/models/<path:id>")(retrieve_model)
