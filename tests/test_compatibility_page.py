"""docs/compatibility.md cannot drift: its tables follow from the code, its cases exist."""

import re
from pathlib import Path

import pytest

from tests.compatibility_page import PAGE, page

GOLDEN = Path(__file__).parent / "golden"


def test_the_generated_tables_are_those_of_the_code(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-golden"):
        PAGE.write_text(page(), "utf-8")
    assert PAGE.read_text("utf-8") == page(), "run: pytest tests/test_compatibility_page.py --update-golden"


def test_every_case_that_the_page_names_exists() -> None:
    named = re.findall(r"\((?:\.\./tests/golden/)([\w./-]+)\)", PAGE.read_text("utf-8"))
    assert len(named) > 30
    assert [name for name in named if not (GOLDEN / name).exists()] == []
