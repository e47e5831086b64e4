"""The error tree: each failure has its status, and no text of a library."""

import inspect

import pytest

from app import errors
from app.errors import ClientGone, ProxyError, ShuttingDown, UpstreamRefusal

STATUSES = {
    "ProxyError": 500,
    "RequestError": 400,
    "InvalidRequest": 400,
    "UnsupportedThread": 400,
    "Unauthorized": 401,
    "NotFound": 404,
    "MethodNotAllowed": 405,
    "RequestTimeout": 408,
    "RequestTooLarge": 413,
    "UnsupportedMediaType": 415,
    "UpstreamError": 502,
    "UpstreamUnreachable": 502,
    "UpstreamBroken": 502,
    "UpstreamTimeout": 504,
}
KINDS = {
    name: kind
    for name, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, ProxyError) and kind not in (UpstreamRefusal, ShuttingDown, ClientGone)
}


@pytest.mark.parametrize("name", KINDS)
def test_statuses(name: str) -> None:
    error = KINDS[name]("A sentence.", param="a.b", code="c")
    assert (error.status, error.message, error.param, error.code) == (STATUSES[name], "A sentence.", "a.b", "c")


def test_a_stop_is_told_as_unavailability() -> None:
    assert (ShuttingDown().status, ShuttingDown().code) == (503, None)


def test_leaving_has_the_status_that_servers_log_it_with() -> None:
    assert (ClientGone().status, ClientGone().code) == (499, None)


def test_a_refusal_carries_the_upstreams_words() -> None:
    error = UpstreamRefusal(529, "overloaded_error", "Overloaded", "x", {"retry-after": "1"}, b"{}", native=True)
    assert (error.status, error.type, str(error), error.headers["retry-after"]) == (
        529,
        "overloaded_error",
        "Overloaded",
        "1",
    )


def test_the_tree_at_the_top_names_every_kind() -> None:
    assert errors.__doc__ is not None
    assert all(name in errors.__doc__ for name in [*KINDS, "UpstreamRefusal"])
