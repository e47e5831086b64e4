"""Options of the whole test suite."""

import logging
import os

import hypothesis
import pytest

# A busy machine is no reason to fail; nothing is left in the working tree; and the suite tries the same examples every
# time. `HYPOTHESIS_PROFILE=explore pytest` looks for new ones.
hypothesis.settings.register_profile("suite", deadline=None, database=None, derandomize=True)
hypothesis.settings.register_profile("explore", deadline=None, database=None, print_blob=True, max_examples=1000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


# The developer's .env is none of the tests' business: python-dotenv, and `flask run` by itself, would read it.
os.environ |= {"PYTHON_DOTENV_DISABLED": "1", "FLASK_SKIP_DOTENV": "1"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite what tests/golden expects; review the diff")


@pytest.fixture(autouse=True)
def _log_level() -> None:
    """The app of an earlier test may have set another, and stays in the process."""
    logging.getLogger("anthropic_proxy").setLevel(logging.INFO)
