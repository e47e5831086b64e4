"""A stream is kept alive wherever its upstream is silent."""

from typing import Any

from tests.blueprints.conftest import CHAT_REQUEST, MESSAGE, STREAM, events
from tests.blueprints.late_upstream import KEEPALIVE, LateUpstream, kept_alive
from tests.faults.raw_upstream import Call, RawUpstream

PATH = "/v1/chat/completions"
SEARCHING: dict[str, Any] = CHAT_REQUEST | {"stream": True, "web_search_options": {}}
PAUSED = events(
    {"type": "message_start", "message": MESSAGE | {"content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Searching. "}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "pause_turn"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
)
REFUSED = b"""{"type": "error", "error": {"type": "invalid_request_error", "message": "temperature: Extra inputs"}}"""


def frames_of(late: LateUpstream, **fields: Any) -> tuple[list[tuple[bytes, int]], list[Call]]:
    """The frames of a stream, each with the number of calls that the upstream had by then, and those calls."""
    with RawUpstream({"good": late}) as raw:
        client = kept_alive(raw, PROFILE_OVERRIDES_JSON='{"*": {"anthropic_extensions": true}}')
        answer = client.post(PATH, json=SEARCHING | fields)
        return [(frame, len(raw.calls)) for frame in late.read(answer)], raw.calls


def continued(call: Call) -> bool:
    return len(call.body["messages"]) > 1


def test_while_a_paused_turn_is_continued() -> None:
    frames, calls = frames_of(LateUpstream(lambda call: (200, STREAM if continued(call) else PAUSED)))
    assert [continued(call) for call in calls] == [False, True]
    assert {calls for frame, calls in frames if frame == KEEPALIVE} == {1, 2}
    stream = b"".join(frame for frame, _ in frames)
    assert stream.index(b"Searching. ") < stream.index(b"Hello")
    assert stream.endswith(b"data: [DONE]\n\n")


def test_a_refused_continuation_is_never_sent_again() -> None:
    """The client has read the first part of the answer: another could not follow it."""
    late = LateUpstream(lambda call: (400, REFUSED) if continued(call) else (200, PAUSED))
    frames, calls = frames_of(late, temperature=0.5)
    assert [continued(call) for call in calls] == [False, True]
    last, _ = frames[-1]
    assert b'"param":"temperature"' in last
