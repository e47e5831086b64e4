"""Options of the whole test suite."""

import hypothesis
import pytest

# A busy machine is no reason to fail; and nothing is left in the working tree.
hypothesis.settings.register_profile("suite", deadline=None, database=None, print_blob=True)
hypothesis.settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite what tests/golden expects; review the diff")
