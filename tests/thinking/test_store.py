"""The stores of thinking blocks: what they keep, for whom, how much, and that their failures cost no request."""

import json
import logging
import os
import socketserver
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.thinking.file import FileStore, shared_path
from app.thinking.memory import MAX_ENTRY_BYTES, MemoryStore
from app.thinking.redis import RedisStore
from app.thinking.store import NoStore, ThinkingStore, owner_of, store_for
from app.translate.call_keys import answer_keys, recalled
from app.translate.told_calls import ToldCall

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = [
    {"type": "thinking", "thinking": "hm, 思考 🤔", "signature": "sig"},
    {"type": "redacted_thinking", "data": "x"},
]
LOGGER = "anthropic_proxy.thinking_store"


class RedisServer(socketserver.ThreadingTCPServer):
    """As much of Redis as the store speaks: SET, MGET, HELLO and CLIENT in RESP."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _RedisConnection)
        self.values: dict[bytes, bytes] = {}
        self.ages: dict[bytes, int] = {}
        self.commands: list[bytes] = []
        self.broken = False

    @property
    def url(self) -> str:
        return f"redis://:pass-word@127.0.0.1:{self.server_address[1]}/0"


class _RedisConnection(socketserver.StreamRequestHandler):
    server: RedisServer

    def handle(self) -> None:
        while line := self.rfile.readline():
            words = []
            for _ in range(int(line[1:])):
                size = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(size))
                self.rfile.readline()
            self.server.commands.append(words[0].upper())
            self.wfile.write(self._reply(words[0].upper(), words[1:]))

    def _reply(self, command: bytes, words: list[bytes]) -> bytes:
        if self.server.broken:
            return b"-LOADING Redis is loading the dataset in memory\r\n"
        if command == b"SET" and words[2] == b"EX":
            self.server.values[words[0]] = words[1]
            self.server.ages[words[0]] = int(words[3])
        if command == b"MGET":
            found = [self.server.values.get(key) for key in words]
            items = [b"$-1\r\n" if item is None else b"$%d\r\n%s\r\n" % (len(item), item) for item in found]
            return b"*%d\r\n%s" % (len(items), b"".join(items))
        return b"-ERR unknown command\r\n" if command == b"HELLO" else b"+OK\r\n"


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


Make = Callable[..., ThinkingStore]


@pytest.fixture(params=["memory", "file", "redis"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Each kind of store."""
    if request.param == "memory":
        return MemoryStore()
    if request.param == "file":
        return FileStore(tmp_path / "thinking.sqlite3")
    return store_for(request.getfixturevalue("redis_server").url)


def test_blocks_come_back_unchanged(made: ThinkingStore) -> None:
    made.remember("me", {"call_1": BLOCKS, "call.2:x": [BLOCKS[0]]})
    assert made.recall("me", ["call_1", "unknown", "call.2:x"]) == {"call_1": BLOCKS, "call.2:x": [BLOCKS[0]]}
    assert json.dumps(made.recall("me", ["call_1"])["call_1"]) == json.dumps(BLOCKS)
    assert made.recall("me", []) == {}


@pytest.mark.parametrize("id", ["functions.f:0", "", "\ud83d", "toolu_01KxQ4mPz9Ab7"])
def test_the_next_request_finds_the_blocks_of_any_id(made: ThinkingStore, id: str) -> None:
    asked: list[Any] = [{"role": "user", "content": "Go."}]
    made.remember("me", answer_keys({"messages": asked}, {ToldCall(id, "f", '{"a":1}'): BLOCKS}))
    told = {"id": id, "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    again = [*asked, {"role": "assistant", "content": None, "tool_calls": [told]}]
    assert recalled({"messages": again}, lambda keys: made.recall("me", keys)) == {1: BLOCKS}
    assert recalled({"messages": again}, lambda keys: made.recall("you", keys)) == {}


def test_the_last_word_counts(made: ThinkingStore) -> None:
    made.remember("me", {"call_1": BLOCKS})
    made.remember("me", {"call_1": BLOCKS[:1]})
    assert made.recall("me", ["call_1"]) == {"call_1": BLOCKS[:1]}


def test_what_is_recalled_is_a_copy(made: ThinkingStore) -> None:
    made.remember("me", {"call_1": BLOCKS})
    made.recall("me", ["call_1"])["call_1"][0]["signature"] = "changed"
    assert made.recall("me", ["call_1"])["call_1"] == BLOCKS


def test_each_key_has_its_own(made: ThinkingStore) -> None:
    mine = owner_of("api.z.ai", {"x-api-key": "a"})
    made.remember(mine, {"call_1": BLOCKS})
    others = [
        owner_of("api.z.ai", {"x-api-key": "b"}),
        owner_of("api.other", {"x-api-key": "a"}),
        owner_of("api.z.ai", {}),
    ]
    assert all(made.recall(other, ["call_1"]) == {} for other in others)
    assert made.recall(mine, ["call_1"])


def test_what_cannot_be_kept_is_left_out(made: ThinkingStore) -> None:
    huge = [{"type": "thinking", "thinking": "x" * MAX_ENTRY_BYTES, "signature": "s"}]
    beyond_json = [{"type": "thinking", "thinking": "x", "signature": 2**70}]
    made.remember("me", {"huge": huge})
    made.remember("me", {"odd": beyond_json})
    assert made.recall("me", ["huge", "odd"]) == {}


def test_an_owner_is_no_key() -> None:
    assert "sk-secret" not in owner_of("host", {"x-api-key": "sk-secret"})
    assert len(owner_of("host", {"x-api-key": "ключ"})) == 64


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_bounds(kind: str, tmp_path: Path) -> None:
    bounds: dict[str, Any] = {"max_entries": 5}
    store: Any = MemoryStore(**bounds) if kind == "memory" else FileStore(tmp_path / "a", **bounds)
    for number in range(12):
        store.remember("me", {f"call_{number}": BLOCKS})
    known = store.recall("me", [f"call_{number}" for number in range(12)])
    assert sorted(known) == [f"call_{number}" for number in (10, 11, 7, 8, 9)]
    store = MemoryStore(max_age=0.05) if kind == "memory" else FileStore(tmp_path / "b", max_age=0.05)
    store.remember("me", {"call_1": BLOCKS})
    assert store.recall("me", ["call_1"])
    time.sleep(0.06)
    assert not store.recall("me", ["call_1"])


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_when_it_is_full_the_oldest_leave(kind: str, tmp_path: Path) -> None:
    size = 1024 * 1024
    block = [{"type": "thinking", "thinking": "x" * 100_000, "signature": "s"}]
    path = tmp_path / "thinking.sqlite3"
    store: Any = MemoryStore(max_bytes=size) if kind == "memory" else FileStore(path, max_bytes=size)
    for number in range(40):
        store.remember("me", {f"call_{number}": block})
        assert store.recall("me", [f"call_{number}"]), number
    known = store.recall("me", [f"call_{number}" for number in range(40)])
    assert 1 <= len(known) <= 10
    if kind == "file":
        assert path.stat().st_size <= size


def test_a_long_history(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "thinking.sqlite3")
    store.remember("me", {"call_1999": BLOCKS})
    assert list(store.recall("me", [f"call_{number}" for number in range(2000)])) == ["call_1999"]


CHILD = """
import sys, json
from pathlib import Path
from app.thinking.file import FileStore
store = FileStore(Path(sys.argv[1]))
print(json.dumps(store.recall("me", ["parent"])), flush=True)
for number in range(50):
    store.remember("me", {f"child_{number}": [{"type": "thinking", "thinking": "", "signature": str(number)}]})
"""


def test_two_processes_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "thinking.sqlite3"
    store = FileStore(path)
    store.remember("me", {"parent": BLOCKS})
    command = [sys.executable, "-c", CHILD, str(path)]
    children = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(2)]
    for number in range(50):
        store.remember("me", {f"parent_{number}": BLOCKS})
    told = [child.communicate(timeout=30)[0] for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert [json.loads(line) for line in told] == [{"parent": BLOCKS}] * 2
    known = store.recall("me", [f"{who}_{number}" for who in ("parent", "child") for number in range(50)])
    # A write that met another for longer than the store waits is lost, which is allowed but rare.
    assert len(known) >= 90


def test_threads_share_a_store(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "thinking.sqlite3")
    threads = [
        threading.Thread(target=lambda name=name: [store.remember("me", {f"{name}_{i}": BLOCKS}) for i in range(20)])
        for name in "abcd"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.recall("me", [f"{name}_{i}" for name in "abcd" for i in range(20)])) == 80


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What the stores log; once, whether or not an application has set logging up."""
    logger = logging.getLogger(LOGGER)
    logger.propagate = False
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)
    logger.propagate = True


def use(store: ThinkingStore) -> None:
    for _ in range(3):
        store.remember("me", {"call_1": BLOCKS})
        store.recall("me", ["call_1"])


def test_a_corrupt_file_is_replaced(tmp_path: Path, heard: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "thinking.sqlite3"
    path.write_bytes(b"this is no database " * 1000)
    store = FileStore(path, recovery=0)
    store.remember("me", {"call_1": BLOCKS})
    assert len(warnings(heard)) == 1
    store.remember("me", {"call_1": BLOCKS})
    assert store.recall("me", ["call_1"]) == {"call_1": BLOCKS}


def test_a_file_that_breaks_later(tmp_path: Path, heard: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "thinking.sqlite3"
    store = FileStore(path, recovery=0)
    use(store)
    with sqlite3.connect(path) as other:
        other.execute("DROP TABLE blocks")
    other.close()
    use(store)
    assert len(warnings(heard)) == 1


@pytest.mark.parametrize("trouble", ["directory", "missing", "locked"])
def test_a_file_that_cannot_be_used(tmp_path: Path, heard: pytest.LogCaptureFixture, trouble: str) -> None:
    path = tmp_path / "thinking.sqlite3"
    holder = None
    if trouble == "directory":
        path.mkdir()
    elif trouble == "missing":
        path = tmp_path / "no" / "such" / "file"
    else:
        FileStore(path).remember("me", {"call_0": BLOCKS})
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
    store = FileStore(path)
    began = time.monotonic()
    use(store)
    assert time.monotonic() - began < 2
    assert len(warnings(heard)) == 1
    if holder:
        holder.execute("ROLLBACK")
        holder.close()
        store = FileStore(path)
        use(store)
        assert store.recall("me", ["call_0", "call_1"]) == {"call_0": BLOCKS, "call_1": BLOCKS}


def test_the_directory_is_this_users_alone(tmp_path: Path) -> None:
    path = shared_path(tmp_path)
    assert path is not None
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert shared_path(tmp_path) == path


@pytest.mark.parametrize("trouble", ["open", "link", "file"])
def test_a_directory_of_somebody_else(tmp_path: Path, trouble: str) -> None:
    directory = tmp_path / f"anthropic-proxy-{os.getuid()}"
    if trouble == "open":
        directory.mkdir()
        directory.chmod(0o755)
    elif trouble == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        directory.symlink_to(tmp_path / "elsewhere")
    else:
        directory.touch()
    assert shared_path(tmp_path) is None


def test_a_directory_with_another_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "anthropic-proxy-4711").mkdir(mode=0o700)
    monkeypatch.setattr("app.thinking.file.os.getuid", lambda: 4711)
    assert shared_path(tmp_path) is None


def test_kinds(monkeypatch: pytest.MonkeyPatch, heard: pytest.LogCaptureFixture) -> None:
    assert isinstance(store_for("off"), NoStore)
    assert isinstance(store_for("memory"), MemoryStore)
    assert isinstance(store_for("shared"), FileStore)
    monkeypatch.setattr("app.thinking.store.shared_path", lambda: None)
    assert isinstance(store_for("shared"), MemoryStore)
    assert len(warnings(heard)) == 1
    use(NoStore())


def test_redis_is_imported_only_when_it_is_wanted() -> None:
    code = (
        "import sys; from app import create_app; from app.settings import Settings\n"
        "create_app(Settings.from_env({'UPSTREAM_BASE': 'sandbox:'})); assert 'redis' not in sys.modules\n"
        "create_app(Settings.from_env({'THINKING_STORE': 'redis://127.0.0.1:1'})); assert 'redis' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


def test_redis_keeps_entries_for_their_age(redis_server: RedisServer) -> None:
    store = store_for(redis_server.url)
    store.remember("owner", {"call_1": BLOCKS})
    assert redis_server.ages == {b"anthropic-proxy:thinking:owner:call_1": 6 * 3600}
    assert store_for(redis_server.url).recall("owner", ["call_1"]) == {"call_1": BLOCKS}


def test_a_redis_that_fails_is_forgiven(redis_server: RedisServer, heard: pytest.LogCaptureFixture) -> None:
    redis_server.broken = True
    store = store_for(redis_server.url)
    use(store)
    tried = len(redis_server.commands)
    use(store)
    assert len(redis_server.commands) == tried, "it is left alone for a while"
    assert len(warnings(heard)) == 1
    assert "pass-word" not in heard.text


def test_a_redis_that_recovers(redis_server: RedisServer, heard: pytest.LogCaptureFixture) -> None:
    redis_server.broken = True
    store = RedisStore(redis_server.url, recovery=0)
    use(store)
    redis_server.broken = False
    store.remember("me", {"call_1": BLOCKS})
    assert store.recall("me", ["call_1"]) == {"call_1": BLOCKS}
    assert len(warnings(heard)) == 1
    redis_server.values = dict.fromkeys(redis_server.values, b"no JSON")
    assert store.recall("me", ["call_1"]) == {}


def test_a_redis_that_is_not_there(heard: pytest.LogCaptureFixture) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as silent:
        # It listens and never answers.
        store = store_for(f"redis://127.0.0.1:{silent.server_address[1]}")
        began = time.monotonic()
        use(store)
        assert time.monotonic() - began < 3
    assert len(warnings(heard)) == 1
