"""The virtual environment that the scripts make, and the pinned lists that they install."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ROOT, Project

INSTALL = 'source "$1/scripts/environment.sh"; install_requirements requirements.txt'


def install(project: Project, **environ: str) -> subprocess.CompletedProcess[str]:
    """Install the copy's requirements.txt, here without a package, into a virtual environment of its own."""
    settings = {"VENV_DIR": str(project.root / "a venv"), "SKIP_INSTALL": "", "PYTHON": sys.executable}
    return subprocess.run(
        ["bash", "-c", INSTALL, "bash", str(project.root)],
        env=project.environ | settings | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def test_installs_when_missing_and_when_the_list_changed(project: Project) -> None:
    requirements = project.root / "requirements.txt"
    requirements.write_text("# first\n")
    first = install(project)
    assert first.returncode == 0, first.stdout
    assert "Making the virtual environment" in first.stdout
    assert "Installing requirements.txt" in first.stdout

    again = install(project)
    assert (again.returncode, again.stdout) == (0, "")

    requirements.write_text("# second\n")
    changed = install(project)
    assert "Installing requirements.txt" in changed.stdout
    assert "Making" not in changed.stdout

    requirements.write_text("no-such-package-anywhere\n")
    failed = install(project, PIP_NO_INDEX="1")
    assert failed.returncode != 0
    assert "PIP_INDEX_URL" in failed.stdout
    assert "Installing requirements.txt" in install(project, PIP_NO_INDEX="1").stdout, "a failure is tried again"

    (project.root / "a venv" / "bin" / "python").unlink()
    requirements.write_text("# second\n")
    assert "Making the virtual environment" in install(project).stdout, "a broken one is made anew"


def test_an_interpreter_that_is_too_old_is_refused(project: Project) -> None:
    old = project.root / "python-old"
    old.write_text('#!/bin/sh\ncase "$1" in -c) exit 1;; *) echo "Python 3.9.18";; esac\n')
    old.chmod(0o755)
    refused = install(project, PYTHON=str(old))
    assert refused.returncode != 0
    assert "3.10 or newer" in refused.stdout
    assert "Python 3.9.18" in refused.stdout


def test_a_folder_that_is_no_virtual_environment_is_left_alone(project: Project) -> None:
    precious = project.root / "precious"
    precious.mkdir()
    (precious / "file").write_text("kept")
    refused = install(project, VENV_DIR=str(precious))
    assert refused.returncode != 0
    assert (precious / "file").read_text() == "kept"


def test_a_place_that_cannot_be_written_is_said(project: Project) -> None:
    (project.root / "file").write_text("in the way")
    refused = install(project, VENV_DIR=str(project.root / "file" / "venv"))
    assert refused.returncode != 0
    assert "cannot be written" in refused.stdout
    assert "VENV_DIR=" in refused.stdout


def lint(tool: str, *arguments: str) -> str:
    path = shutil.which(tool, path=str(Path(sys.executable).parent)) or shutil.which(tool)
    if path is None:
        pytest.skip(f"{tool} has no package for this platform")
    checked = subprocess.run([path, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return checked.stdout + checked.stderr


def test_shell_scripts_are_clean() -> None:
    scripts = [str(path.relative_to(ROOT)) for path in ROOT.glob("scripts/*.sh")]
    assert len(scripts) == 7
    assert lint("shellcheck", "-x", "--source-path=SCRIPTDIR", *scripts, ".ci/run") == ""


def test_the_dockerfile_is_clean() -> None:
    assert lint("hadolint", "Dockerfile") == ""


def locked(name: str) -> dict[str, set[str]]:
    """Package -> its pinned versions. Fails on a line that is not pinned or has no hash."""
    versions: dict[str, set[str]] = {}
    text = (ROOT / name).read_text()
    for entry in re.sub(r"#.*", "", text).replace("\\\n", " ").splitlines():
        if entry.strip():
            pinned = re.fullmatch(r"([a-z0-9-]+)==([\w.]+)( ;.*?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*", entry)
            assert pinned, entry[:100]
            versions.setdefault(pinned[1], set()).add(pinned[2])
    return versions


def asked_for(name: str) -> dict[str, str]:
    """Package -> the reason beside it."""
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and line[0] not in "#-"]
    found = [re.fullmatch(r"([a-z0-9-]+)(?:\[\w+\])?(?: ;[^#]*)?\s*(?:# (.+))?", line) for line in lines]
    assert all(found), lines
    return {match[1]: match[2] or "" for match in found if match}


@pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
def test_everything_is_pinned_with_hashes_and_has_its_reason(name: str) -> None:
    packages = asked_for(f"{name}.in")
    assert packages.keys() <= locked(f"{name}.txt").keys()
    assert all(packages.values()), packages


def test_tests_run_on_the_versions_of_production() -> None:
    production, tests = locked("requirements.txt"), locked("requirements-dev.txt")
    assert production == {name: tests[name] for name in production}


def test_ci_runs_the_test_command() -> None:
    assert "scripts/test.sh" in (ROOT / ".ci" / "run").read_text()
    script = (ROOT / "scripts" / "test.sh").read_text()
    for step in ("requirements-dev.txt", "ruff check .", "ruff format --check .", "mypy app", "pytest"):
        assert step in script
