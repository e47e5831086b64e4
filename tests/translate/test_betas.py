"""Extension fields that go upstream, and the betas that are asked for with them."""

from typing import Any

import pytest

from app.errors import InvalidRequest
from app.profiles.profile import Profile
from app.translate.betas import betas, extensions
from app.translate.report import Report

CLAUDE, OTHER = Profile(anthropic_extensions=True), Profile()
ASKED = {"container": "c", "mcp_servers": [], "context_management": {"edits": []}}


def test_extensions_go_to_those_who_know_them() -> None:
    report = Report()
    assert extensions(ASKED | {"model": "m"}, CLAUDE, report) == ASKED
    assert report.ignored == ()
    assert extensions(ASKED, OTHER, report) == {}
    assert set(report.ignored) == set(ASKED)


def test_what_is_null_was_not_asked_for() -> None:
    report = Report()
    assert extensions(dict.fromkeys(ASKED), OTHER, report) == {}
    assert report.ignored == ()


@pytest.mark.parametrize(
    ("request_fields", "names"),
    [
        ({}, ()),
        ({"anthropic_beta": "a-1, b_2 ,,c.3"}, ("a-1", "b_2", "c.3")),
        ({"anthropic_beta": ["a", " b "]}, ("a", "b")),
        ({"extra_headers": {"Anthropic-Beta": "a"}}, ("a",)),
        ({"extra_headers": {"x-other": "a"}}, ()),
        ({"anthropic_beta": "a", "extra_headers": {"anthropic-beta": "b"}}, ("a",)),
        ({"extra_headers": None}, ()),
    ],
)
def test_where_betas_are_asked_for(request_fields: dict[str, Any], names: tuple[str, ...]) -> None:
    assert betas(request_fields, {}) == names


@pytest.mark.parametrize(
    ("request_fields", "param"),
    [
        ({"anthropic_beta": "a\r\nx-evil: 1"}, "anthropic_beta"),
        ({"anthropic_beta": ["two words"]}, "anthropic_beta"),
        ({"anthropic_beta": ["a", 5]}, "anthropic_beta[1]"),
        ({"anthropic_beta": {}}, "anthropic_beta"),
        ({"extra_headers": {"anthropic-beta": "-x"}}, "extra_headers.anthropic-beta"),
        ({"extra_headers": "anthropic-beta: a"}, "extra_headers"),
    ],
)
def test_what_cannot_stand_in_a_header_is_refused_by_its_place(request_fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        betas(request_fields, {})
    assert raised.value.param == param


def test_a_field_brings_its_beta_unless_the_client_asked_for_one_of_its_kind() -> None:
    assert betas({}, {"mcp_servers": []}) == ("mcp-client-2025-11-20",)
    assert betas({"anthropic_beta": "mcp-client-2025-04-04"}, {"mcp_servers": []}) == ("mcp-client-2025-04-04",)
    assert betas({"anthropic_beta": "a"}, {"context_management": {}}) == ("a", "context-management-2025-06-27")
