"""A wrong type or value, in OpenAI's own words."""

import pytest

from app.errors import InvalidRequest
from app.translate import checks


@pytest.mark.parametrize(
    ("check", "value", "told"),
    [
        (checks.a_string, 5, "expected a string, but got an integer instead."),
        (checks.a_string, None, "expected a string, but got null instead."),
        (checks.an_object, [], "expected an object, but got an array instead."),
        (checks.an_array, {}, "expected an array, but got an object instead."),
        (checks.an_array_or_string, 5, "expected a string or an array, but got an integer instead."),
        (checks.a_boolean, 1, "expected a boolean, but got an integer instead."),
        (checks.an_integer, True, "expected an integer, but got a boolean instead."),
        (checks.an_integer, 1.5, "expected an integer, but got a number instead."),
        (checks.a_number, "1", "expected a number, but got a string instead."),
    ],
)
def test_types(check: object, value: object, told: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check(value, "a.b")  # type: ignore[operator]
    assert caught.value.message == f"Invalid type for 'a.b': {told}"
    assert (caught.value.param, caught.value.code) == ("a.b", "invalid_type")


def test_a_whole_number_may_be_written_as_a_decimal() -> None:
    assert checks.an_integer(5.0, "a") == 5


def test_null_means_absent() -> None:
    assert checks.optional_string({"a": None}, "a", "") is None
    assert checks.optional_boolean({}, "a", "") is None


@pytest.mark.parametrize(
    ("value", "code"),
    [(-1, "integer_below_min_value"), (0.5, ""), (1.5, "decimal_above_max_value"), (2, "integer_above_max_value")],
)
def test_ranges(value: float, code: str) -> None:
    if not code:
        checks.between(value, 0, 1, "a")
        return
    with pytest.raises(InvalidRequest) as caught:
        checks.between(value, 0, 1, "a")
    assert caught.value.code == code
    assert f"but got {value} instead" in caught.value.message
