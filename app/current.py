"""The app's objects and the caller, seen from a request, so that no blueprint imports the app."""

from __future__ import annotations

from typing import cast

from flask import current_app, g, request

from app.access import check_proxy_key, shown_key, upstream_credentials
from app.headers import request_id
from app.request_log import RequestRecord
from app.services import Caller, Services
from app.settings import Settings
from app.waiting import Client

EXTENSION = "anthropic-proxy"


def services() -> Services:
    return cast(Services, current_app.extensions[EXTENSION])


def settings() -> Settings:
    return services().settings


def record() -> RequestRecord:
    """The log record of this request."""
    return cast(RequestRecord, g.record)


def caller(bearer_first: bool = False) -> Caller:
    """Who sent this request; `bearer_first` as in OpenAI's API.

    Raises Unauthorized if it may use neither its own key nor the server's.
    """
    headers = client_headers()
    credentials = upstream_credentials(headers, request.remote_addr or "", settings(), bearer_first)
    g.credentials = credentials
    identity = shown_key(headers) or request.remote_addr or ""
    return Caller(headers, credentials, client(), record().request_id, identity)


def sent_keys() -> list[str]:
    """The values of the authentication headers that go upstream for this request."""
    return list(g.get("credentials", {}).values())


def require_proxy_key() -> None:
    """Raises Unauthorized if PROXY_API_KEYS is set and the client sends none of them."""
    check_proxy_key(client_headers(), settings())


def client_headers() -> dict[str, str]:
    """The request's headers by lower-case name."""
    return {name.lower(): value for name, value in request.headers.items()}


def client() -> Client:
    """The client's side of this request; gunicorn and werkzeug's development server give its socket, tests do not."""
    if "client" not in g:
        g.client = Client(request.environ.get("gunicorn.socket") or request.environ.get("werkzeug.socket"))
    return cast(Client, g.client)


def chosen_request_id(made: str) -> str:
    return request_id({"x-request-id": request.headers.get("x-request-id", "")}, made)
