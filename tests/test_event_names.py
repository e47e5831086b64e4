import pytest

from app.event_names import lacks_names, with_names

NAMED = b'event: ping\ndata: {"type": "ping"}\n\n'


@pytest.mark.parametrize(
    ("events", "lacks"),
    [
        (b'data: {"type": "ping"}\n\n', True),
        (b': hi\r\n\r\ndata:{"text": "\\nevent: x"}\r\n\r\n', True),
        (NAMED, False),
        (b'data: {"type": "ping"}\revent: ping\r\r', False),
        (b": hi\n\n", False),
    ],
)
def test_an_upstream_writes_event_lines_always_or_never(events: bytes, lacks: bool) -> None:
    assert lacks_names(events) is lacks


@pytest.mark.parametrize(
    ("events", "named"),
    [
        (b'data: {"type": "ping"}\n\n', NAMED),
        (b'data: {"type": "ping"}\n\n' * 2, NAMED * 2),
        (
            b'data:{"index": 0,\r\ndata:"type": "ping"}\r\n\r\n',
            b'event: ping\ndata:{"index": 0,\r\ndata:"type": "ping"}\r\n\r\n',
        ),
        (NAMED, NAMED),
    ],
)
def test_names_come_from_the_data(events: bytes, named: bytes) -> None:
    assert with_names(events) == named


@pytest.mark.parametrize(
    "events",
    [b": hi\n\n", b"data: [DONE]\n\n", b'data: {"type": "a\\nb"}\n\n', b"data: {broken\n\n", b'data: {"type": "ping"}'],
)
def test_what_has_no_type_or_no_end_stays(events: bytes) -> None:
    assert with_names(events) == events
