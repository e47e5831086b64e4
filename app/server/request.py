"""The head of a request, as gunicorn parses it."""

from __future__ import annotations

from gunicorn.http import message

HEAD_BYTES = 65_536
"""All fields together, which gunicorn bounds by the product of its two other limits only. On each read it copies and
searches what there is of an unfinished head: 150 connections with 0.8 MB each stopped service for half a minute."""


class BoundedRequest(message.Request):
    """gunicorn's request, except that a head too large as a whole is refused (431), and trailers likewise."""

    max_buffer_headers = property(lambda self: HEAD_BYTES, lambda self, derived: None)
