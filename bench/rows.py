"""The rows of the table: what is asked, how it is measured, and what this project aims at."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from bench import checks
from bench.accounting import Memory, cpu_seconds, largest, memory, tree
from bench.answers import Script, deltas
from bench.http_requests import SDK_HEADERS, agent_request, chat_request, long_talk, messages_request
from bench.load import Call, Clients, at_once, closed_loop, first_delta_seconds, held_open
from bench.targets import Target
from bench.upstream import HELD

BUFFERED_CONNECTIONS = 8
STREAMED_CONNECTIONS = 4
SETTLE_SECONDS = 2
FIRST_DELTA_SAMPLES = 100
BURST = Script("text", 2000)
PACED = Script("text", 250, "paced", 50)
PACED_STREAMS = 20


@dataclass(frozen=True)
class Conditions:
    """What the rows of one run share: the upstream's port, how long a closed loop lasts, and each tree's memory before
    it had many streams, by pid: what a first crowd leaves behind is no gift to the second."""

    upstream_port: int
    seconds: float
    memory_before: dict[int, Memory] = field(default_factory=dict)


CallFor = Callable[[Target], Call | None]
Measure = Callable[[Target, Conditions], float | None]


@dataclass(frozen=True)
class Row:
    """`measure` gives one value in `unit`, or None where the target does not speak the API; `once`: a single round."""

    name: str
    title: str
    unit: str
    goal: str
    measure: Measure
    once: bool = False


def chat(script: Script, stream: bool = True, size: int = 0, client: dict[str, str] | None = None) -> CallFor:
    talk = {"turns": long_talk(size)} if size else {}
    check = checks.chat_stream(script) if stream else checks.chat_completion

    def call(target: Target) -> Call | None:
        if target.chat_path is None or (stream and not target.streams):
            return None
        return Call(target.port, chat_request(target, script, stream, client=client, **talk), check)

    return call


def agent(target: Target) -> Call | None:
    if target.chat_path is None:
        return None
    return Call(target.port, agent_request(target, Script()), checks.chat_completion)


def messages(script: Script, stream: bool = True) -> CallFor:
    check = checks.message_stream(script) if stream else checks.message

    def call(target: Target) -> Call | None:
        if target.messages_path is None or (stream and not target.streams):
            return None
        return Call(target.port, messages_request(target, script, stream), check)

    return call


def per_answer(call_for: CallFor) -> Measure:
    """CPU microseconds of the tree for one answer, connections kept alive."""

    def measure(target: Target, conditions: Conditions) -> float | None:
        return _closed_loop(call_for(target), target, conditions, BUFFERED_CONNECTIONS, 1)

    return measure


def per_burst_delta(call_for: CallFor, script: Script) -> Measure:
    """CPU microseconds for one delta of streams that come as fast as they are taken; the request is in it."""

    def measure(target: Target, conditions: Conditions) -> float | None:
        return _closed_loop(call_for(target), target, conditions, STREAMED_CONNECTIONS, script.deltas)

    return measure


def _closed_loop(
    call: Call | None, target: Target, conditions: Conditions, connections: int, units: int
) -> float | None:
    if call is None:
        return None
    before = _spent(target)
    answers = closed_loop(call, connections, conditions.seconds)
    return (_spent(target) - before) / (answers * units) * 1e6


def per_paced_delta(call_for: CallFor) -> Measure:
    """CPU microseconds for one delta of twenty streams that bring fifty a second each for five seconds."""

    def measure(target: Target, conditions: Conditions) -> float | None:
        call = call_for(target)
        if call is None:
            return None
        before = _spent(target)
        at_once(call, PACED_STREAMS, spread=1 / PACED.rate)
        return (_spent(target) - before) / (PACED_STREAMS * PACED.deltas) * 1e6

    return measure


def _spent(target: Target) -> float:
    return cpu_seconds(target.pid) if target.pid else 0.0


def per_open_stream(count: int) -> Measure:
    """KB (proportional) that the tree grows by for each stream which is open and quiet after its first deltas."""

    def measure(target: Target, conditions: Conditions) -> float | None:
        call = chat(HELD)(target)
        if call is None or not target.pid:
            return None
        if target.pid not in conditions.memory_before:
            _open_a_few(call, conditions)
            conditions.memory_before[target.pid] = memory(tree(target.pid))
        before = conditions.memory_before[target.pid]
        with held_open(call, count, conditions.upstream_port):
            time.sleep(SETTLE_SECONDS)
            return ((memory(tree(target.pid)) - before) / count).pss

    return measure


def _open_a_few(call: Call, conditions: Conditions) -> None:
    """What the first streams allocate for good is no cost of the later ones."""
    for _ in range(2):
        with held_open(call, 20, conditions.upstream_port):
            pass


def completed_streams(count: int) -> Measure:
    """`count` if that many streams were open at once and all were completed."""

    def measure(target: Target, conditions: Conditions) -> float | None:
        call = chat(HELD)(target)
        if call is None:
            return None
        with held_open(call, count, conditions.upstream_port):
            pass
        return count

    return measure


def idle_memory(target: Target, conditions: Conditions) -> float | None:
    """MB resident of the worker after its first requests."""
    call = chat(Script(), stream=False)(target)
    if call is None or not target.pid:
        return None
    closed_loop(call, connections=1, seconds=0.1)
    return memory([largest(tree(target.pid))]).rss / 1024


def added_to_first_delta(target: Target, conditions: Conditions) -> float | None:
    """Milliseconds (median) between request and first delta, less those of the upstream alone, asked in turn."""
    script = Script("text", 2, "single")
    first = deltas(script).text[0].encode()
    call = chat(script)(target)
    alone = messages(script)(replace(target, port=conditions.upstream_port, messages_path="/v1/messages"))
    if call is None or alone is None:
        return None
    with Clients() as through, Clients() as straight:
        client, own = through.open(call.port), straight.open(alone.port)
        pairs = [
            (
                first_delta_seconds(call, first, client),
                first_delta_seconds(alone, first, own),
            )
            for _ in range(FIRST_DELTA_SAMPLES)
        ]
    through_median = statistics.median(pair[0] for pair in pairs)
    return (through_median - statistics.median(pair[1] for pair in pairs)) * 1000


def _burst(content: str, delivery: str = "burst") -> tuple[CallFor, Script]:
    script = Script(content, BURST.deltas, delivery)
    return chat(script), script


REQUEST, DELTA = "µs a request", "µs a delta"
ROWS = (
    Row("idle", "idle, one worker (RSS)", "MB", "<= 60", idle_memory, once=True),
    Row("memory_200", "memory an open stream, 200 open (PSS)", "KB", "<= 30", per_open_stream(200), once=True),
    Row("memory_1000", "memory an open stream, 1,000 open (PSS)", "KB", "<= 30", per_open_stream(1000), once=True),
    Row("chat_buffered", "chat, buffered, 0.8 KB in, 1 KB out", REQUEST, "<= 400", per_answer(chat(Script(), False))),
    Row(
        "chat_buffered_sdk",
        "the same with the headers of OpenAI's SDK",
        REQUEST,
        "",
        per_answer(chat(Script(), False, client=SDK_HEADERS)),
    ),
    Row(
        "messages_buffered",
        "messages passed through, buffered",
        REQUEST,
        "<= 370",
        per_answer(messages(Script(), False)),
    ),
    Row("chat_100k", "chat, buffered, 100 KB in", REQUEST, "<= 1200", per_answer(chat(Script(), False, 100_000))),
    Row("chat_agent", "chat, buffered, 8 tools, 24 calls and results, 23 KB", REQUEST, "", per_answer(agent)),
    Row("chat_burst", "chat stream, burst", DELTA, "<= 5", per_burst_delta(*_burst("text"))),
    Row("chat_single", "the same, one event a write", DELTA, "<= 8", per_burst_delta(*_burst("text", "single"))),
    Row("chat_tools", "chat stream, burst, tool call", DELTA, "<= 10", per_burst_delta(*_burst("tools"))),
    Row("chat_thinking", "chat stream, burst, thinking", DELTA, "<= 10", per_burst_delta(*_burst("thinking"))),
    Row("chat_paced", "chat stream, 20 of 50 deltas/s", DELTA, "<= 75", per_paced_delta(chat(PACED))),
    Row("messages_burst", "messages stream, burst", DELTA, "<= 4", per_burst_delta(messages(BURST), BURST)),
    Row("messages_paced", "messages stream, 20 of 50 deltas/s", DELTA, "<= 60", per_paced_delta(messages(PACED))),
    Row("first_delta", "added to the time to the first delta", "ms", "<= 1.5", added_to_first_delta),
    Row("open_8000", "8,000 open streams, all completed", "streams", ">= 8000", completed_streams(8000), once=True),
)
