"""app/translate/sampling.py: which parameters go to which model, and what is said of those that do not."""

from dataclasses import replace
from typing import Any

import pytest

from app.profiles.profile import Profile
from app.translate.report import Report
from app.translate.sampling import sampling, stop_sequences

ALL = Profile(sampling="all", sampling_while_thinking=True)
ONE = replace(ALL, sampling="one")
NONE = replace(ALL, sampling="none")
BOUND = replace(ALL, sampling_while_thinking=False)
ABOVE_ZERO = replace(ALL, zero_sampling=False)

CASES: list[tuple[Profile, dict[str, Any], bool, dict[str, Any], tuple[str, ...], tuple[str, ...]]] = [
    # profile, request, thinks, sent, ignored, adjusted
    (ALL, {"temperature": 0.5, "top_k": 40.0}, True, {"temperature": 0.5, "top_k": 40}, (), ()),
    (ALL, {"temperature": 0.5, "top_p": 0.9}, True, {"temperature": 0.5, "top_p": 0.9}, (), ()),
    (ALL, {"temperature": None, "top_p": None, "top_k": None}, True, {}, (), ()),
    (ALL, {"temperature": 0, "top_p": 0, "top_k": 0}, False, {"temperature": 0, "top_p": 0, "top_k": 0}, (), ()),
    (ALL, {"temperature": 2, "top_p": 1}, False, {"temperature": 1, "top_p": 1}, (), ("temperature=1",)),
    (ALL, {"top_k": -1}, False, {}, ("top_k",), ()),
    (ABOVE_ZERO, {"temperature": 0}, False, {"temperature": 0.01}, (), ("temperature=0.01",)),
    (ABOVE_ZERO, {"top_p": 0}, False, {"top_p": 0.01}, (), ("top_p=0.01",)),
    (ONE, {"temperature": 0.5, "top_p": 0.9}, False, {"temperature": 0.5}, ("top_p",), ()),
    (ONE, {"temperature": 0.5, "top_p": 1}, False, {"temperature": 0.5}, (), ()),
    (ONE, {"top_p": 0.9}, False, {"top_p": 0.9}, (), ()),
    (NONE, {"temperature": 0.5, "top_p": 0.9, "top_k": 1}, False, {}, ("temperature", "top_p", "top_k"), ()),
    (NONE, {"temperature": 1, "top_p": 1, "top_k": 1}, False, {}, ("top_k",), ()),
    (BOUND, {"temperature": 0.5, "top_p": 0.94, "top_k": 1}, True, {}, ("temperature", "top_p", "top_k"), ()),
    (BOUND, {"temperature": 1, "top_p": 0.95}, True, {"top_p": 0.95}, (), ()),
    (BOUND, {"temperature": 0.5, "top_p": 0.1}, False, {"temperature": 0.5, "top_p": 0.1}, (), ()),
    (BOUND, {"top_k": 1}, False, {"top_k": 1}, (), ()),
]


@pytest.mark.parametrize(("profile", "request_", "thinks", "sent", "ignored", "adjusted"), CASES, ids=str)
def test_sampling(
    profile: Profile,
    request_: dict[str, Any],
    thinks: bool,
    sent: dict[str, Any],
    ignored: tuple[str, ...],
    adjusted: tuple[str, ...],
) -> None:
    report = Report()
    assert sampling(request_, profile, thinks, report) == sent
    assert (report.ignored, report.adjusted) == (ignored, adjusted)


@pytest.mark.parametrize(
    ("stop", "taken", "sent", "ignored"),
    [
        (None, True, [], ()),
        (None, False, [], ()),
        ("END", True, ["END"], ()),
        (["a", "b", "a"], True, ["a", "b"], ()),
        (["a", " \n", ""], True, ["a"], ("stop",)),
        ([], True, [], ()),
        ("", True, [], ("stop",)),
        ("END", False, [], ("stop",)),
        ([], False, [], ()),
    ],
    ids=str,
)
def test_stop_sequences(stop: Any, taken: bool, sent: list[str], ignored: tuple[str, ...]) -> None:
    report = Report()
    assert stop_sequences({"stop": stop}, Profile(stop_sequences=taken), report) == sent
    assert report.ignored == ignored
