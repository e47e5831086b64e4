"""What was left out or changed: told once, in order; or an error."""

import pytest

from app.errors import InvalidRequest
from app.translate.report import Report


def test_entries_come_once_and_in_order() -> None:
    report = Report()
    for path in ("seed", "user", "seed"):
        report.ignore(path)
        report.adjust(path, 1)
    assert report.ignored == ("seed", "user")
    assert report.adjusted == ("seed=1", "user=1")


def test_a_strict_report_refuses_the_first() -> None:
    with pytest.raises(InvalidRequest) as ignored:
        Report(strict=True).ignore("seed")
    assert (ignored.value.param, ignored.value.code) == ("seed", "unsupported_parameter")
    with pytest.raises(InvalidRequest) as adjusted:
        Report(strict=True).adjust("temperature", 1)
    assert (adjusted.value.param, adjusted.value.code) == ("temperature", "unsupported_value")
