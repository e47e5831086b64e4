"""POST /v1/messages"""

from __future__ import annotations

from flask import Blueprint, Response

from app.blueprints import PREFIXES
from app.blueprints.reply import Reply
from app.blueprints.request_body import json_object
from app.blueprints.streaming import event_stream
from app.current import inbound
from app.errors import UnsupportedThread
from app.exchanges.messages import MessagesExchange
from app.routing import resolve

blueprint = Blueprint("messages", __name__)


def create_message() -> Response:
    asked = inbound()
    sender = asked.caller()
    body, request = json_object(asked)
    route = resolve(request, asked.settings)
    asked.record.routed(route)
    if request.get("thread") is not None and not asked.services.profile(route.upstream_model).message_threads:
        raise UnsupportedThread("This upstream keeps no threads; send the whole conversation.", param="thread")
    exchange = MessagesExchange(asked.services, sender, body, request, route, asked.record)
    if request.get("stream") is True:
        return event_stream(exchange.frames(), lambda: exchange.headers)
    message = exchange.message()
    return Reply(message, content_type="application/json", headers=exchange.headers)


for prefix in PREFIXES:
    blueprint.post(f"{prefix}/messages")(create_message)
