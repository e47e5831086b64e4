"""POST /v1/messages"""

from __future__ import annotations

from flask import Blueprint, Response

from app.blueprints import PREFIXES
from app.blueprints.reply import Reply
from app.blueprints.request_body import json_object
from app.blueprints.streaming import event_stream
from app.current import current_request
from app.errors import UnsupportedThread
from app.exchanges.messages import MessagesExchange
from app.routing import resolve

blueprint = Blueprint("messages", __name__)


def create_message() -> Response:
    inbound = current_request()
    caller = inbound.caller()
    body, request = json_object(inbound)
    route = resolve(request, inbound.settings)
    inbound.record.routed(route)
    if request.get("thread") is not None and not inbound.services.profile(route.upstream_model).message_threads:
        raise UnsupportedThread("This upstream keeps no threads; send the whole conversation.", param="thread")
    exchange = MessagesExchange(inbound.services, caller, body, request, route, inbound.record)
    if request.get("stream") is True:
        return event_stream(exchange.frames(), lambda: exchange.headers)
    message = exchange.message()
    return Reply(message, content_type="application/json", headers=exchange.headers)


for prefix in PREFIXES:
    blueprint.post(f"{prefix}/messages")(create_message)
