"""The model's name is changed as bytes; nothing else is touched."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.translate.model_name import with_model

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        ('{"model":"a"}', '{"model":"new"}'),
        (
            ' { "x" : [1,{"model":"deep"}] , "model" : "a" , "y":1.0e5 } ',
            ' { "x" : [1,{"model":"deep"}] , "model" : "new" , "y":1.0e5 } ',
        ),
        ('{"mod\\u0065l":"a"}', '{"mod\\u0065l":"new"}'),
        ('{"x":1}', '{"model":"new","x":1}'),
        ("{}", '{"model":"new"}'),
        ("{ }", '{"model":"new" }'),
        ('{"model":null,"x":"\\ud83d\\ude00 é"}', '{"model":"new","x":"\\ud83d\\ude00 é"}'),
    ],
)
def test_only_the_name_changes(body: str, changed: str) -> None:
    assert with_model(body.encode(), "new").decode() == changed


@given(
    st.dictionaries(st.sampled_from(["model", "a", 'mo"del', "b\\"]) | st.text(max_size=5), JSON, max_size=5), st.text()
)
def test_any_body_keeps_its_values_and_their_order(body: dict[str, object], model: str) -> None:
    source = json.dumps(body, indent=1).encode()
    found = json.loads(with_model(source, model), object_pairs_hook=list)
    expected = [(key, model if key == "model" else value) for key, value in json.loads(source, object_pairs_hook=list)]
    assert found == (expected if "model" in body else [("model", model), *expected])
