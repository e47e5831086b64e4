"""docs/threat-model.md names no test and no module that does not exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "threat-model.md").read_text()
NAMED_TESTS = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))
ROWS = [line for line in PAGE.partition("## Threats")[2].partition("## Accepted")[0].splitlines() if line[:2] == "| "]


def functions_of(file: Path) -> set[str]:
    return {node.name for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(("file", "name"), NAMED_TESTS)
def test_a_named_test_exists(file: str, name: str) -> None:
    assert name.startswith("test_")
    assert name in functions_of(ROOT / file)


@pytest.mark.parametrize("file", sorted(set(re.findall(r"`((?:app|docs|scripts|tests)/[\w/.-]+?)`", PAGE))))
def test_a_named_file_exists(file: str) -> None:
    assert (ROOT / file).is_file()


def test_every_threat_has_a_measure_and_a_test() -> None:
    threats = [row.strip("| ").split(" | ") for row in ROWS if not row.startswith("| threat ")]
    assert len(threats) > 30
    for threat, measure, shown in threats:
        assert threat
        assert measure
        assert re.fullmatch(r"`tests/[\w/]+\.py::test_\w+`(, `tests/[\w/]+\.py::test_\w+`)*", shown), threat


@pytest.mark.parametrize("page", ["SECURITY.md", "docs/threat-model.md", "docs/operations.md"])
def test_links_lead_somewhere(page: str) -> None:
    file = ROOT / page
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", file.read_text()):
        assert (file.parent / target).is_file(), target
