"""POST /v1/chat/completions"""

from __future__ import annotations

from flask import Blueprint, Response

from app.blueprints import PREFIXES
from app.blueprints.reply import Reply
from app.blueprints.request_body import json_object
from app.blueprints.streaming import event_stream
from app.current import current_request
from app.exchanges.chat import ChatExchange
from app.json_body import dump_json
from app.routing import resolve

blueprint = Blueprint("chat_completions", __name__)


def create_chat_completion() -> Response:
    inbound = current_request()
    caller = inbound.caller(bearer_first=True)
    chat_request = json_object(inbound)[1]
    route = resolve(chat_request, inbound.settings)
    inbound.record.routed(route)
    exchange = ChatExchange(inbound.services, caller, chat_request, route, inbound.record)
    if chat_request.get("stream") is True:
        return event_stream(exchange.frames(), lambda: exchange.headers)
    body = dump_json(exchange.completion())
    return Reply(body, content_type="application/json", headers=exchange.headers)


for prefix in PREFIXES:
    blueprint.post(f"{prefix}/chat/completions")(create_chat_completion)
