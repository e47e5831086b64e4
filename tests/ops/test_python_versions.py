"""The oldest Python that the README promises can import the service, as far as this machine has one."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHECK = "import sys; assert sys.version_info[:2] == {version}"
# Classes and annotations are what older Pythons fail at; they need none of the dependencies.
COMPILED = (
    "import logging, sys, types\nsys.path.insert(0, '.')\n"
    "for name in ('orjson', 'werkzeug', 'werkzeug.utils', 'flask'):\n    sys.modules[name] = types.ModuleType(name)\n"
    "import app.errors, app.settings, app.access, app.request_log, app.profiles.profile, app.translate.report\n"
)


@pytest.mark.parametrize("version", [(3, 10), (3, 11), (3, 12), (3, 13)])
def test_modules_without_dependencies_import(version: tuple[int, int]) -> None:
    python = shutil.which(f"python{version[0]}.{version[1]}")
    check = [python or "", "-c", CHECK.format(version=version)]
    if python is None or subprocess.run(check, capture_output=True, check=False).returncode:
        pytest.skip(f"no Python {version[0]}.{version[1]} here besides {sys.version_info[:2]}")
    done = subprocess.run([python, "-c", COMPILED], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
