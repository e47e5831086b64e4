"""scripts/audit.py: each thing it must complain about, and that it has nothing to say of this project."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT

sys.path.insert(0, str(ROOT / "scripts"))
import audit
from advisories import Advisory, Snapshot, refreshed

HASH = "--hash=sha256:" + "0" * 64


def package(folder: Path, name: str, version: str, *lines: str) -> Distribution:
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *lines]))
    return PathDistribution(info)


def test_nothing_is_wrong_with_this_project() -> None:
    command = [sys.executable, "scripts/audit.py"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert Snapshot.read(audit.SNAPSHOT).taken in ended.stdout


def test_the_audit_is_part_of_the_test_command() -> None:
    assert '"$venv_python" scripts/audit.py' in (ROOT / "scripts" / "test.sh").read_text()


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (f"flask==3.1.3 {HASH}", None),
        (f"flask==3.1.3 \\\n    {HASH} \\\n    {HASH}\n    # via -r x", None),
        (f"flask==3.1.3 ; python_version < '3.0' {HASH}", None),
        ("flask==3.1.3", "without a sha256 hash"),
        ("flask==3.1.3 --hash=md5:" + "0" * 32, "without a sha256 hash"),
        (f"flask==3.1.3 {HASH}0", "without a sha256 hash"),
        (f"flask>=3.1.3 {HASH}", "not pinned"),
        (f"flask==3.* {HASH}", "not pinned"),
        (f"flask {HASH}", "not pinned"),
        (f"flask @ https://evil.example/flask.whl {HASH}", "not pinned"),
        ("--extra-index-url https://evil.example", "not a pinned requirement"),
        ("-e .", "not a pinned requirement"),
        ("./flask.whl", "not a pinned requirement"),
    ],
)
def test_what_a_lock_file_may_hold(line: str, complaint: str | None) -> None:
    _, complaints = audit.pins(f"# made by a tool\n{line}\n")
    assert len(complaints) == (complaint is not None)
    assert all(str(complaint) in said for said in complaints)


def test_lock_files_that_lag_behind() -> None:
    service, _ = audit.pins(f"flask==3.1.3 {HASH}")
    development, _ = audit.pins(f"flask==3.1.2 {HASH}")
    assert list(audit.unlisted("-r other.in\nFlask   # why\nrequests[socks]\n", service)) == [
        "not in the lock file: requests[socks]"
    ]
    assert list(audit.disagreements(service, development)) == [
        "requirements.txt has flask 3.1.3, requirements-dev.txt has not"
    ]
    assert list(audit.disagreements(service, service)) == []


def test_what_is_installed_otherwise(tmp_path: Path) -> None:
    locked, _ = audit.pins(
        f"a==1 {HASH}\nb==1 {HASH}\nnot-here==1 {HASH}\nelsewhere==1 ; sys_platform == 'amiga' {HASH}"
    )
    needs = ["Requires-Dist: B", "Requires-Dist: unpinned>=2", "Requires-Dist: c ; extra == 'x'"]
    found = {"a": package(tmp_path, "a", "1", *needs), "b": package(tmp_path, "b", "2")}
    assert list(audit.installed_otherwise(locked, found)) == [
        "a needs unpinned, which is not pinned",
        "b 1 is pinned, 2 is installed",
        "not-here 1 is pinned and not installed",
    ]


@pytest.mark.parametrize(
    ("metadata", "permitted"),
    [
        (["License-Expression: MIT"], True),
        (["License-Expression: MPL-2.0 AND (Apache-2.0 OR MIT)"], True),
        (["License-Expression: MIT OR AGPL-3.0-only"], False),
        (["License-Expression: GPL-3.0-or-later"], False),
        (["License: MIT"], True),
        (["License: MIT License", "        ", "        Copyright (c) somebody"], True),
        (["License: GPLv3", "Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)"], False),
        (["Classifier: License :: OSI Approved :: BSD License"], True),
        (["License: proprietary"], False),
        ([], False),
    ],
)
def test_licences_of_the_service(tmp_path: Path, metadata: list[str], permitted: bool) -> None:
    locked, _ = audit.pins(f"a==1 {HASH}")
    complaints = list(audit.forbidden(locked, {"a": package(tmp_path, "a", "1", *metadata)}))
    assert (complaints == []) is permitted


def test_advisories_and_yanked_releases() -> None:
    known = Snapshot("2026-11-22", "tests", [Advisory("CVE-1", "a", ["<1.2", ">=2,<2.1"], "bad")], {"a": ["3.0"]})
    assert list(known.complaints("a", "1.1.9")) == ["a 1.1.9 is affected by CVE-1: bad"]
    assert list(known.complaints("a", "2.0.post1")) == ["a 2.0.post1 is affected by CVE-1: bad"]
    assert list(known.complaints("a", "3.0")) == ["a 3.0 was yanked from PyPI"]
    for package_name, version in (("a", "1.2"), ("a", "2.1"), ("b", "1.0")):
        assert list(known.complaints(package_name, version)) == []


def test_a_vulnerable_pin_fails_the_audit(tmp_path: Path) -> None:
    for name in ("requirements.txt", "requirements-dev.txt", "requirements.in", "requirements-dev.in"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    pins, _ = audit.pins((ROOT / "requirements.txt").read_text())
    flask = next(pin for pin in pins if pin.name == "flask")
    known = Snapshot("2026-11-22", "tests", [Advisory("CVE-1", "flask", [f"<={flask.version}"], "bad")], {})
    assert audit.complaints_of(tmp_path, known) == [f"flask {flask.version} is affected by CVE-1: bad"]


class Registry(BaseHTTPRequestHandler):
    """OSV's and PyPI's answers about `zope-event` and `b`, in the shapes that they document."""

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["content-length"])))
        name = query["package"]["name"]
        assert query["package"]["ecosystem"] == "PyPI"
        if name == "b":
            self._answer({})
        elif "page_token" not in query:
            self._answer(
                {"vulns": [self._advisory("PYSEC-1", [{"introduced": "0"}, {"fixed": "1.2"}])], "next_page_token": "t"}
            )
        else:
            withdrawn = self._advisory("PYSEC-3", [{"introduced": "0"}]) | {"withdrawn": "2026-01-01T00:00:00Z"}
            events = [{"introduced": "2.0"}, {"last_affected": "2.4"}, {"introduced": "6.0"}]
            self._answer({"vulns": [self._advisory("PYSEC-2", events, ["5.0"]), withdrawn]})

    def do_GET(self) -> None:
        yanked = {"releases": {"1.0": [{"yanked": True}], "1.1": [{"yanked": False}], "1.2": []}}
        self._answer(yanked if self.path == "/pypi/zope-event/json" else {"releases": {}})

    def _advisory(self, id: str, events: list[dict[str, str]], versions: list[str] | None = None) -> dict[str, Any]:
        ranges = [{"type": "GIT", "events": [{"introduced": "0"}]}, {"type": "ECOSYSTEM", "events": events}]
        others = {"package": {"name": "other", "ecosystem": "PyPI"}, "versions": ["9"]}
        ours = {"package": {"name": "zope.event", "ecosystem": "PyPI"}, "ranges": ranges, "versions": versions or []}
        return {"id": id, "summary": "bad", "affected": [others, ours]}

    def _answer(self, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def registry() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_refreshed_snapshot(registry: str, tmp_path: Path) -> None:
    snapshot = refreshed({"zope-event": "6.2", "b": "1"}, registry, registry)
    snapshot.write(tmp_path / "snapshot.json")
    assert Snapshot.read(tmp_path / "snapshot.json") == snapshot
    assert {item.id: item.affected for item in snapshot.advisories} == {
        "PYSEC-1": [">=0.dev0,<1.2"],
        "PYSEC-2": [">=2.0,<=2.4", ">=6.0", "==5.0"],
    }
    assert snapshot.yanked == {"zope-event": ["1.0"]}
    assert [len(list(snapshot.complaints("zope-event", version))) for version in ("1.0", "1.2", "2.4", "6.2")] == [
        2,
        0,
        1,
        1,
    ]


def test_a_registry_that_cannot_be_asked_leaves_the_snapshot_alone() -> None:
    with pytest.raises(OSError, match="refused"):
        refreshed({"a": "1"}, "http://127.0.0.1:1", "http://127.0.0.1:1")
