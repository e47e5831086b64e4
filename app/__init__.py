"""anthropic-proxy: every tool that speaks OpenAI or Anthropic, on any Anthropic-compatible API."""

from __future__ import annotations

import os
import uuid
from functools import partial

from flask import Flask, Response, g, request

from app.blueprints import chat_completions, count_tokens, failures, health, messages, models
from app.current import EXTENSION, chosen_request_id, record, services
from app.lessons import Lessons
from app.metrics import metrics
from app.request_log import RequestRecord, configure_logging
from app.services import Services
from app.settings import Settings
from app.thinking_store import thinking_store
from app.upstream import Upstream


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application; without `settings` they come from the environment.

    Raises SettingsError naming every unusable environment key.
    """
    settings = settings or Settings.from_env(os.environ)
    configure_logging(settings.log_level, settings.log_format)
    app = Flask(__name__, static_folder=None)
    app.url_map.strict_slashes = False
    app.extensions[EXTENSION] = Services(
        settings, Upstream(settings), Lessons(), thinking_store(settings.thinking_store), metrics(settings)
    )
    for module in (chat_completions, messages, count_tokens, models, health):
        app.register_blueprint(module.blueprint)
    failures.register(app)
    app.before_request(_begin)
    app.after_request(_complete)
    return app


def _begin() -> None:
    route = request.url_rule.rule if request.url_rule else "(unknown)"
    g.record = RequestRecord(request.method, route, chosen_request_id(uuid.uuid4().hex))
    services().metrics.opened(g.record)


def _complete(response: Response) -> Response:
    served = record()
    served.status = response.status_code
    response.headers["x-request-id"] = served.request_id
    if not response.is_streamed:
        served.bytes_out = response.content_length or 0
        served.first_byte()
    response.call_on_close(partial(_close, served, services()))
    return response


def _close(served: RequestRecord, held: Services) -> None:
    """The last byte is sent, or the client has left."""
    served.write()
    held.metrics.closed(served)
