"""POST /v1/messages/count_tokens"""

from __future__ import annotations

from flask import Blueprint, Response

from app.blueprints import PREFIXES
from app.blueprints.request_body import json_object
from app.count import TokenCounter, count_body
from app.current import caller, record, services, settings
from app.routing import resolve

blueprint = Blueprint("count_tokens", __name__)
_counter = TokenCounter()


def count_tokens() -> Response:
    sender = caller()
    body, request = json_object()
    route = resolve(request, settings())
    record().requested_model, record().upstream_model = route.requested_model, route.upstream_model
    tokens, counted = _counter.count(services(), sender, body, request, route)
    answer = count_body(tokens, counted, settings().count_shape_compat)
    headers = {"x-upstream-model": route.upstream_model}
    if counted is None:
        headers["x-proxy-estimate"] = "true"
    return Response(answer, mimetype="application/json", headers=headers)


for prefix in PREFIXES:
    blueprint.post(f"{prefix}/messages/count_tokens")(count_tokens)
