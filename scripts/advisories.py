"""A snapshot of what is publicly known against versions of the pinned packages: advisories and yanked releases."""

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

OSV = "https://api.osv.dev"
PYPI = "https://pypi.org"
TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Advisory:
    """`affected` are version specifiers (PEP 440); a version that meets any of them is affected."""

    id: str
    package: str
    affected: list[str]
    summary: str


@dataclass(frozen=True)
class Snapshot:
    """What `source` knew on the day `taken` (ISO 8601). `yanked` are versions by package name."""

    taken: str
    source: str
    advisories: list[Advisory]
    yanked: dict[str, list[str]]

    @classmethod
    def read(cls, path: Path) -> "Snapshot":
        value = json.loads(path.read_text())
        return cls(value["taken"], value["source"], [Advisory(**item) for item in value["advisories"]], value["yanked"])

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n")

    def complaints(self, package: str, version: str) -> Iterator[str]:
        """What is known against one version."""
        for advisory in self.advisories:
            if advisory.package == package and any(
                SpecifierSet(affected).contains(version, prereleases=True) for affected in advisory.affected
            ):
                yield f"{package} {version} is affected by {advisory.id}: {advisory.summary}"
        if version in self.yanked.get(package, []):
            yield f"{package} {version} was yanked from PyPI"


def refreshed(versions: Mapping[str, str], osv: str = OSV, pypi: str = PYPI) -> Snapshot:
    """What OSV and PyPI know today of packages (name -> version). Raises OSError if one of them cannot be asked."""
    advisories = [advisory for name in versions for advisory in _advisories(name, osv)]
    yanked = {name: found for name in versions if (found := _yanked(name, pypi))}
    return Snapshot(datetime.now(timezone.utc).date().isoformat(), "OSV and PyPI", advisories, yanked)


def _advisories(package: str, osv: str) -> Iterator[Advisory]:
    """Source: https://google.github.io/osv.dev/post-v1-query/ and https://ossf.github.io/osv-schema/."""
    query: dict[str, Any] = {"package": {"name": package, "ecosystem": "PyPI"}}
    while True:
        page = _json(urllib.request.Request(f"{osv}/v1/query", json.dumps(query).encode()))
        for found in page.get("vulns", []):
            affected = [text for item in found.get("affected", []) for text in _specifiers(item, package)]
            if affected and not found.get("withdrawn"):
                yield Advisory(found["id"], package, affected, found.get("summary", ""))
        if not page.get("next_page_token"):
            return
        query["page_token"] = page["next_page_token"]


def _specifiers(affected: Mapping[str, Any], package: str) -> Iterator[str]:
    """The ranges and single versions of one `affected` item, as version specifiers."""
    if canonicalize_name(affected.get("package", {}).get("name", "")) != package:
        return
    for item in affected.get("ranges", []):
        if item.get("type") == "ECOSYSTEM":
            yield from _ranges(item.get("events", []))
    for version in affected.get("versions", []):
        yield f"=={version}"


def _ranges(events: list[Mapping[str, str]]) -> Iterator[str]:
    start = ""
    for event in events:
        if "introduced" in event:
            start = ">=0.dev0" if event["introduced"] == "0" else f">={event['introduced']}"
        elif start and "fixed" in event:
            yield f"{start},<{event['fixed']}"
            start = ""
        elif start and "last_affected" in event:
            yield f"{start},<={event['last_affected']}"
            start = ""
    if start:
        yield start


def _yanked(package: str, pypi: str) -> list[str]:
    """The yanked releases. Source: https://docs.pypi.org/api/json/."""
    url = f"{pypi}/pypi/{urllib.parse.quote(package)}/json"
    releases = _json(urllib.request.Request(url)).get("releases", {})
    return sorted(version for version, files in releases.items() if files and all(file.get("yanked") for file in files))


def _json(request: urllib.request.Request) -> Any:
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
        return json.load(response)
