"""Every failure the proxy can name, as one tree.

ProxyError
  RequestError            the client's request cannot be served as it was sent
    InvalidRequest          400, names the field in `param`
      UnsupportedThread       it goes on from messages that only a server of threads has
    Unauthorized            401
    NotFound                404
    MethodNotAllowed        405
    RequestTimeout          408, the body did not arrive in time
    RequestTooLarge         413
    UnsupportedMediaType    415
  UpstreamError           the upstream did not give what its API documents
    UpstreamRefusal         it answered with an error of its own
    UpstreamUnreachable     502, no connection, so the request was never sent
    UpstreamBroken          502, the answer was cut or is not what the API documents
    UpstreamTimeout         504
  ShuttingDown            503, this process ends before the answer does
  ClientGone              499, the client left; there is hardly anybody to answer
"""

from __future__ import annotations

from collections.abc import Mapping


class ProxyError(Exception):
    """Base of all failures; `status` is the HTTP status a client sees, `message` the sentence it reads."""

    status = 500

    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code


class RequestError(ProxyError):
    status = 400


class InvalidRequest(RequestError):
    """A field is wrong; `param` is its path, such as `messages.2.content.0.image_url.url`."""


class UnsupportedThread(InvalidRequest):
    """A message thread where the upstream keeps none; Anthropic's SDKs then send the whole history instead."""


class Unauthorized(RequestError):
    status = 401


class NotFound(RequestError):
    status = 404


class MethodNotAllowed(RequestError):
    status = 405


class RequestTimeout(RequestError):
    status = 408


class RequestTooLarge(RequestError):
    status = 413


class UnsupportedMediaType(RequestError):
    status = 415


class UpstreamError(ProxyError):
    status = 502


class UpstreamRefusal(UpstreamError):
    """The upstream's own error: its status, Anthropic error type, sentence, code, headers and raw body."""

    def __init__(
        self,
        status: int,
        type: str,
        message: str,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        native: bool = False,
    ) -> None:
        super().__init__(message, code=code)
        self.status = status
        self.type = type
        self.headers: Mapping[str, str] = headers if headers is not None else {}
        self.body = body
        self.native = native
        """Whether `body` is in Anthropic's own shape."""


class UpstreamUnreachable(UpstreamError):
    pass


class UpstreamBroken(UpstreamError):
    pass


class UpstreamTimeout(UpstreamError):
    status = 504


class ShuttingDown(ProxyError):
    """The grace that a stop or reload gives to open requests is over; another process may answer the next."""

    status = 503

    def __init__(self) -> None:
        super().__init__("The proxy is stopping or restarting and could not wait for the answer; send it again.")


class ClientGone(ProxyError):
    """Its side of the connection is closed. Who only closed that direction, and still waits, reads this."""

    status = 499

    def __init__(self) -> None:
        super().__init__(
            "Your side of the connection was closed before the answer was complete, so it was given up; keep both "
            "directions open while you wait."
        )
