"""Counting in a gevent worker: other greenlets go on, whatever is counted."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Each script runs in a process of its own, patched as gunicorn's gevent worker is.
PRELUDE = """
from gevent import monkey; monkey.patch_all()
import gevent, json, random, time
from app.tokens import estimate_input_tokens, estimate_text_tokens
from app.tokens.tokenizer import Tokenizer

ticks = []
def tick():
    while True:
        ticks.append(time.perf_counter())
        gevent.sleep(0.001)
gevent.spawn(tick)

def gaps_during(call):
    gevent.sleep(0.02)
    ticks.clear()
    started = time.perf_counter()
    result = call()
    ticked = len(ticks)
    gevent.sleep(0.01)
    times = [started, *ticks]
    return {"result": result, "ticks": ticked, "max_gap": max(b - a for a, b in zip(times, times[1:])),
            "seconds": time.perf_counter() - started}
"""


def run_patched(script: str):
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", PRELUDE + script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return json.loads(ended.stdout)


def test_other_greenlets_keep_running_while_a_megabyte_is_counted():
    counted = run_patched("""
estimate_text_tokens("loads the ranks", "glm-4.5")
letters = random.Random(1)
text = " ".join("".join(letters.choices("etaoinshrdlu", k=6)) for _ in range(150_000))
print(json.dumps(gaps_during(lambda: estimate_text_tokens(text, "glm-4.5"))))
""")
    assert counted["result"] > 300_000
    assert counted["ticks"] >= 2
    assert counted["max_gap"] < 0.1


@pytest.mark.parametrize(
    "content",
    [
        '[{"type": "text", "text": []}] * 300_000',
        '[{"type": "text", "text": "a"}] * 150_000',
        '[{"type": "tool_use", "input": {"a": [1] * 300_000}}]',
        '[{"type": "tool_use", "input": {"a": [[]] * 300_000}}]',
    ],
)
def test_other_greenlets_keep_running_while_many_small_values_are_counted(content):
    counted = run_patched(f"""
estimate_text_tokens("loads the ranks", "glm-4.5")
request = {{"messages": [{{"role": "user", "content": {content}}}]}}
print(json.dumps(gaps_during(lambda: estimate_input_tokens(request, "glm-4.5"))))
""")
    assert counted["ticks"] >= 3
    assert counted["max_gap"] < 0.1


def test_other_greenlets_keep_running_while_the_ranks_are_loaded():
    counted = run_patched("""
print(json.dumps(gaps_during(lambda: estimate_text_tokens("a short text", "glm-4.5"))))
""")
    assert counted["result"] == 3
    assert counted["ticks"] >= 5


def test_a_slow_load_is_waited_for_once_and_used_when_it_is_there():
    outcome = run_patched("""
class Encoder:
    def encode_ordinary(self, text): return [0] * 1000
def load():
    time.sleep(1.5)
    return Encoder()
slow = Tokenizer(load, wait_seconds=0.1)
count = lambda: estimate_text_tokens("word", "glm-4.5", tokenizer=slow)
first, second = gaps_during(count), gaps_during(count)
gevent.sleep(1.6)
print(json.dumps([first, second, gaps_during(count)]))
""")
    first, second, after = outcome
    assert (first["result"], second["result"], after["result"]) == (1, 1, 1000)
    assert first["seconds"] > 0.1
    assert first["ticks"] >= 5
    assert second["seconds"] < 0.09


def test_a_failed_load_is_reported_and_the_heuristic_counts():
    outcome = run_patched("""
import logging
messages = []
class Collect(logging.Handler):
    def emit(self, record): messages.append(record.getMessage())
logging.getLogger("anthropic_proxy.tokens").addHandler(Collect())
def load(): raise OSError("/secret/path")
broken = Tokenizer(load)
counts = [estimate_text_tokens("word", "glm-4.5", tokenizer=broken) for _ in range(3)]
print(json.dumps([counts, messages]))
""")
    assert outcome == [[1, 1, 1], ["token ranks unavailable, counting without them: OSError"]]


def test_counts_at_the_same_time_load_once_and_agree():
    outcome = run_patched("""
loads = []
class Encoder:
    def encode_ordinary(self, text): return [0] * len(text)
def load():
    loads.append(1)
    time.sleep(0.1)
    return Encoder()
shared = Tokenizer(load)
jobs = [gevent.spawn(estimate_text_tokens, "word " * 100_000, "glm-4.5", tokenizer=shared) for _ in range(8)]
gevent.joinall(jobs)
print(json.dumps([len(loads), [job.value for job in jobs]]))
""")
    assert outcome == [1, [500_000] * 8]


def test_counting_leaves_native_threads_for_others():
    names = run_patched("""
class Encoder:
    def encode_ordinary(self, text):
        time.sleep(0.01)
        return [0]
busy = Tokenizer(Encoder)
text = " ".join(map(str, range(20_000)))
jobs = [gevent.spawn(estimate_text_tokens, text, "glm-4.5", tokenizer=busy) for _ in range(20)]
gevent.sleep(0.1)
print(json.dumps(len(gevent.get_hub().threadpool)))
gevent.killall(jobs)
""")
    assert names <= 2
