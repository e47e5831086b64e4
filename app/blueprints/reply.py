"""The response class of this service: bodies are bytes, made whole or as they come, and no header is a URL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from flask import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_WITHOUT_BODY = frozenset({204, 304})


class Reply(Response):
    """As its own WSGI iterable it hands the server each piece with nothing in between.

    By itself a response copies and examines its headers for the sake of `Location`, and puts two iterators around its
    body for text and closing: for every piece of every stream.
    """

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "HEAD" or self.status_code in _WITHOUT_BODY:
            return super().__call__(environ, start_response)
        start_response(self.status, self.headers.to_wsgi_list())
        if self.is_streamed:
            # Whoever sends them has them now, and a stream lives long.
            self.headers.clear()
        return self

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.response)  # type: ignore[arg-type]
