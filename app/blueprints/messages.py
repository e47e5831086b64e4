"""POST /v1/messages"""

from __future__ import annotations

from flask import Blueprint, Response

from app.blueprints import PREFIXES
from app.blueprints.request_body import json_object
from app.blueprints.streaming import event_stream
from app.current import caller, record, services, settings
from app.messages_exchange import MessagesExchange
from app.routing import resolve

blueprint = Blueprint("messages", __name__)


def create_message() -> Response:
    sender = caller()
    body, request = json_object()
    route = resolve(request, settings())
    record().routed(route)
    exchange = MessagesExchange(services(), sender, body, request, route, record())
    if request.get("stream") is True:
        return event_stream(exchange.frames(), lambda: exchange.headers)
    message = exchange.message()
    return Response(message, mimetype="application/json", headers=exchange.headers)


for prefix in PREFIXES:
    blueprint.post(f"{prefix}/messages")(create_message)
