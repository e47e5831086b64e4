"""How a request reaches its view and an answer its client: Flask, and a fast path below its contexts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from flask import Flask, Request, Response
from flask.ctx import RequestContext
from flask.sessions import NullSession, SessionInterface, SessionMixin
from werkzeug.routing import MapAdapter, Rule

from app.blueprints import canonical
from app.blueprints.client_connection import guarded
from app.blueprints.reply import Reply
from app.current import EXTENSION, SERVING, InboundRequest, current_request
from app.headers import request_id
from app.request_log import RequestRecord
from app.services import Services

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

View = Callable[[], Response]


class Service(Flask):
    """Flask without what a service of plain functions and no cookies pays for on each request."""

    class NoSession(SessionInterface):
        """No cookie is read or set."""

        def open_session(self, app: Flask, request: Request) -> SessionMixin:
            return _NO_SESSION

        def is_null_session(self, obj: object) -> bool:
            return True

    request_class = InboundRequest
    response_class = Reply
    session_interface = NoSession()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._fast_path: dict[tuple[str, str], tuple[Rule, View]] = {}

    def open_fast_path(self, *views: View) -> None:
        """Spare `views` Flask's contexts and its look through the URL map, which cost as much as a small translation.

        They must find everything in `current_request()`, take no arguments and give a Response. Call it when all is
        registered: where anything is hooked in before or behind a view, it changes nothing.
        """
        before = self.url_value_preprocessors, self.before_request_funcs
        behind = self.after_request_funcs, self.teardown_request_funcs, self.teardown_appcontext_funcs
        if any((*before, *behind)):
            return
        for rule in self.url_map.iter_rules():
            view = self.view_functions[rule.endpoint]
            if view in views and not rule.arguments:
                self._fast_path |= {(method, rule.rule): (rule, view) for method in rule.methods or ()}

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Flask's, unless the fast path leads to the view; what fails on it is answered as Flask does."""
        known = self._fast_path.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        if known is None:
            return super().wsgi_app(environ, start_response)
        inbound = InboundRequest(environ, populate_request=False)
        inbound.url_rule, view = known
        token = SERVING.set(inbound)
        try:
            self._begin(inbound)
            response = self._completed(view(), inbound)
        except Exception as failure:
            with RequestContext(self, environ, inbound):
                response = self.finalize_request(self.handle_user_exception(failure))
        finally:
            SERVING.reset(token)
        return response(environ, start_response)

    def preprocess_request(self) -> Any:
        self._begin(current_request())
        return super().preprocess_request()

    def process_response(self, response: Response) -> Response:
        return self._completed(super().process_response(response), current_request())

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """No host, port or scheme decides where a request goes, so none is made out."""
        if request is None:
            return None
        return MapAdapter(self.url_map, "", "/", "", "http", request.path, request.method)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Every view and hook here is synchronous; Flask would inspect each of them, on each request."""
        return func

    def _begin(self, inbound: InboundRequest) -> None:
        inbound.services = cast(Services, self.extensions[EXTENSION])
        route = canonical(inbound.url_rule.rule) if inbound.url_rule else "(unknown)"
        inbound.record = RequestRecord(inbound.method, route, request_id(inbound.header_values, os.urandom(16).hex()))
        inbound.credentials = {}
        inbound.services.metrics.opened(inbound.record)

    def _completed(self, response: Response, inbound: InboundRequest) -> Response:
        served = inbound.record
        served.status = response.status_code
        response.headers["x-request-id"] = served.request_id
        if not response.is_streamed:
            served.bytes_out = response.content_length or 0
            served.first_byte()
        response.call_on_close(partial(_close, served, inbound.services))
        return guarded(response, inbound)


_NO_SESSION = NullSession()


def _close(served: RequestRecord, services: Services) -> None:
    """The last byte is sent, or the client has left."""
    served.end()
    served.write()
    services.metrics.closed(served)
