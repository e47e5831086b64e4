"""POST /v1/messages/count_tokens"""

from __future__ import annotations

from flask import Blueprint, Flask, Response, current_app

from app.blueprints import PREFIXES
from app.blueprints.reply import Reply
from app.blueprints.request_body import json_object
from app.current import current_request
from app.exchanges.count import TokenCounter
from app.headers import listing
from app.routing import resolve
from app.settings import Settings
from app.upstream import Upstream

blueprint = Blueprint("count_tokens", __name__)
_COUNTER = "anthropic-proxy.token-counter"
_PATIENCE_SECONDS = 5.0
"""A count is asked for while a user types: an estimate now is better than a number that comes late."""


def register(app: Flask, configured: Settings) -> None:
    """Add the view, and the counter that remembers for `app` whether its upstream counts."""
    app.extensions[_COUNTER] = TokenCounter(Upstream(configured.impatient(_PATIENCE_SECONDS)), configured)
    app.register_blueprint(blueprint)


def count_tokens() -> Response:
    inbound = current_request()
    caller = inbound.caller()
    body, request = json_object(inbound)
    route = resolve(request, inbound.settings)
    inbound.record.routed(route)
    counted = current_app.extensions[_COUNTER].count(caller, body, request, route)
    headers = {**counted.headers, "x-upstream-model": listing([route.upstream_model])}
    if counted.body is None:
        headers["x-proxy-estimate"] = "true"
    content = counted.content(inbound.settings.count_shape_compat)
    return Reply(content, content_type="application/json", headers=headers)


for prefix in PREFIXES:
    blueprint.post(f"{prefix}/messages/count_tokens")(count_tokens)
