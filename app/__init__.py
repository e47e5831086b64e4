"""anthropic-proxy: every tool that speaks OpenAI or Anthropic, on any Anthropic-compatible API."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Flask, Request, Response
from flask.sessions import NullSession, SessionInterface, SessionMixin
from werkzeug.routing import MapAdapter

from app.access import cautions
from app.blueprints import canonical, chat_completions, cors, count_tokens, failures, health, messages, models
from app.blueprints.client_connection import guarded
from app.blueprints.reply import Reply
from app.current import EXTENSION, Inbound, inbound, services
from app.headers import request_id
from app.lessons import Lessons
from app.logs import configure_logging
from app.metrics import metrics
from app.request_log import RequestRecord
from app.services import Services
from app.settings import Settings
from app.thinking_store import store_for
from app.upstream import Upstream


class Service(Flask):
    """Flask without what a service of plain functions and no cookies pays for on each request."""

    class NoSession(SessionInterface):
        """No cookie is read or set."""

        def open_session(self, app: Flask, request: Request) -> SessionMixin:
            return _NO_SESSION

        def is_null_session(self, obj: object) -> bool:
            return True

    request_class = Inbound
    response_class = Reply
    session_interface = NoSession()

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """No host, port or scheme decides where a request goes, so none is made out."""
        if request is None:
            return None
        return MapAdapter(self.url_map, "", "/", "", "http", request.path, request.method)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Every view and hook here is synchronous; Flask would inspect each of them, on each request."""
        return func


_NO_SESSION = NullSession()


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application; without `settings` they come from the environment.

    Raises SettingsError naming every unusable environment key.
    """
    settings = settings or Settings.from_env(os.environ)
    configure_logging(settings.log_level, settings.log_format)
    for caution in cautions(settings):
        logging.getLogger("anthropic_proxy").warning(caution)
    app = Service(__name__, static_folder=None)
    # No redirects, which few clients follow with a POST, and no answers to OPTIONS but those of cors.py.
    app.url_map.strict_slashes = app.url_map.merge_slashes = False
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    counted = metrics(settings)
    app.extensions[EXTENSION] = Services(
        settings, Upstream(settings, counted.retried), Lessons(), store_for(settings.thinking_store), counted
    )
    app.before_request(_begin)
    app.after_request(guarded)
    app.after_request(_complete)
    for module in (chat_completions, messages, models):
        app.register_blueprint(module.blueprint)
    count_tokens.register(app, settings)
    health.register(app, settings)
    if settings.cors_origins:
        cors.register(app)
    failures.register(app)
    return app


def _begin() -> None:
    asked = inbound()
    asked.services = services()
    route = canonical(asked.url_rule.rule) if asked.url_rule else "(unknown)"
    asked.record = RequestRecord(asked.method, route, request_id(asked.header_values, os.urandom(16).hex()))
    asked.credentials = {}
    asked.services.metrics.opened(asked.record)


def _complete(response: Response) -> Response:
    asked = inbound()
    served = asked.record
    served.status = response.status_code
    response.headers["x-request-id"] = served.request_id
    if not response.is_streamed:
        served.bytes_out = response.content_length or 0
        served.first_byte()
    response.call_on_close(partial(_close, served, asked.services))
    return response


def _close(served: RequestRecord, held: Services) -> None:
    """The last byte is sent, or the client has left."""
    served.write()
    held.metrics.closed(served)
