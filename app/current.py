"""The app's objects and the caller, seen from a request, so that no blueprint imports the app."""

from __future__ import annotations

from typing import Any, cast

from flask import current_app, g, request

from app.access import upstream_credentials
from app.headers import request_id
from app.request_log import RequestRecord
from app.services import Caller, Services
from app.settings import Settings

EXTENSION = "anthropic-proxy"


def services() -> Services:
    return cast(Services, current_app.extensions[EXTENSION])


def settings() -> Settings:
    return services().settings


def record() -> RequestRecord:
    """The log record of this request."""
    return cast(RequestRecord, g.record)


def caller() -> Caller:
    """Who sent this request. Raises Unauthorized if it may use neither its own key nor the server's."""
    headers = client_headers()
    credentials = upstream_credentials(headers, request.remote_addr or "", settings())
    return Caller(headers, credentials, client_socket(), record().request_id)


def client_headers() -> dict[str, str]:
    """The request's headers by lower-case name."""
    return {name.lower(): value for name, value in request.headers.items()}


def client_socket() -> Any:
    """The client's socket, as gunicorn or werkzeug's development server gives it; None under a test client."""
    return request.environ.get("gunicorn.socket") or request.environ.get("werkzeug.socket")


def chosen_request_id(made: str) -> str:
    return request_id({"x-request-id": request.headers.get("x-request-id", "")}, made)
