"""The request being served and the app's objects, seen from a blueprint, so that none imports the app."""

from __future__ import annotations

from contextvars import ContextVar
from functools import cached_property
from typing import cast

from flask import Request, request

from app.access import check_proxy_key, shown_key, upstream_credentials
from app.request_log import RequestRecord
from app.server.environ import FIELDS
from app.services import Caller, Services
from app.settings import Settings
from app.transport.patience import Client

EXTENSION = "anthropic-proxy"


class InboundRequest(Request):
    """A request, and what is known of it beside its HTTP.

    `current_request()` finds it once; handed on from there, it saves every function a look through Flask's proxies.
    """

    services: Services
    record: RequestRecord
    """What will be logged of it."""
    credentials: dict[str, str]
    """The authentication headers that go upstream for it."""
    body_was_read = False

    @property
    def settings(self) -> Settings:
        return self.services.settings

    @cached_property
    def header_values(self) -> dict[str, str]:
        """The request's headers by lower-case name; of most requests they were read as such."""
        if FIELDS in self.environ:
            return cast("dict[str, str]", self.environ[FIELDS])
        values = {key[5:].replace("_", "-").lower(): value for key, value in self.environ.items() if key[:5] == "HTTP_"}
        for key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            if value := self.environ.get(key):
                values[key.replace("_", "-").lower()] = value
        return values

    @cached_property
    def client(self) -> Client:
        """The client's side; gunicorn and werkzeug's development server give its socket, tests do not."""
        return Client(self.environ.get("gunicorn.socket") or self.environ.get("werkzeug.socket"))

    def caller(self, bearer_first: bool = False) -> Caller:
        """Who sent this request; `bearer_first` as in OpenAI's API.

        Raises Unauthorized if it may use neither its own key nor the server's.
        """
        headers, address = self.header_values, self.remote_addr or ""
        self.credentials = upstream_credentials(headers, address, self.settings, bearer_first)
        return Caller(headers, self.credentials, self.client, self.record.request_id, shown_key(headers) or address)

    def require_proxy_key(self) -> None:
        """Raises Unauthorized if PROXY_API_KEYS is set and the client sends none of them."""
        check_proxy_key(self.header_values, self.settings)


SERVING: ContextVar[InboundRequest | None] = ContextVar("serving", default=None)
"""The request being served where no context of Flask's holds it."""


def current_request() -> InboundRequest:
    """The request being served."""
    return SERVING.get() or cast(InboundRequest, request._get_current_object())  # type: ignore[attr-defined]
