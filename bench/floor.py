"""The floor of this stack: Flask behind the project's gunicorn.conf.py, answering with bytes made beforehand."""

from __future__ import annotations

import orjson
from flask import Flask, Response, request

from bench.answers import BUFFERED_TEXT, MODEL, message

_CHOICE = {"index": 0, "message": {"role": "assistant", "content": BUFFERED_TEXT}, "finish_reason": "stop"}
_COMPLETION = orjson.dumps({"id": "chatcmpl-1", "object": "chat.completion", "model": MODEL, "choices": [_CHOICE]})
_MESSAGE = message()

app = Flask(__name__, static_folder=None)


@app.post("/v1/chat/completions")
def create_chat_completion() -> Response:
    request.get_data()
    return Response(_COMPLETION, mimetype="application/json")


@app.post("/v1/messages")
def create_message() -> Response:
    request.get_data()
    return Response(_MESSAGE, mimetype="application/json")
