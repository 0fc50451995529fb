"""Properties of the comparison of settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments.looser import ENVIRONMENT
from environments.schema import Environment
from pipeline.gates.template.strictness import Loosening, looser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from environments.looser import Direction

DIRECTIONS: dict[str, Direction] = {
    "up": "higher", "down": "lower", "list": "grows", "wide": "widens", "kept": "shrinks",
    "fixed": "changed", "free": "never", "order": ("strict", "lax"),
    "table.up": "higher", "table.list": "grows",
}  # fmt: skip
_ITEMS = st.lists(st.sampled_from("abc"), unique=True)
_NUMBERS = st.integers(0, 5) | st.sampled_from([0.5, 2.5])
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "up": _NUMBERS, "down": _NUMBERS, "list": _ITEMS, "wide": _ITEMS, "kept": _ITEMS,
    "fixed": st.sampled_from("ab"), "free": st.integers(),
    "order": st.sampled_from(["strict", "lax"]), "unknown": st.integers(0, 2),
    "table": st.fixed_dictionaries({}, optional={"up": _NUMBERS, "list": _ITEMS}),
}  # fmt: skip
_DOCUMENTS = st.fixed_dictionaries({}, optional=_VALUES)


@given(_DOCUMENTS)
def test_nothing_is_looser_than_itself(document: dict[str, Any]) -> None:
    assert looser(document, document, DIRECTIONS) == []


@given(_DOCUMENTS, _DOCUMENTS, st.randoms(use_true_random=False))
def test_the_order_does_not_matter(
    before: dict[str, Any], after: dict[str, Any], order: Any
) -> None:
    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            items = [(key, shuffled(each)) for key, each in value.items()]
            order.shuffle(items)
            return dict(items)
        return order.sample(value, len(value)) if isinstance(value, list) else value

    assert _keys(looser(before, after, DIRECTIONS)) == _keys(
        looser(shuffled(before), shuffled(after), DIRECTIONS)
    )


@given(_DOCUMENTS, _DOCUMENTS)
def test_a_change_is_looser_one_way_at_most(before: dict[str, Any], after: dict[str, Any]) -> None:
    """For ordered settings: reverting a tightening loosens, and never the reverse."""
    one = {each.key for each in looser(before, after, DIRECTIONS)}
    other = {each.key for each in looser(after, before, DIRECTIONS)}
    assert not one & other & {"up", "down", "order", "free"}
    for key in ("up", "down", "order"):
        if key in before and key in after and before[key] != after[key]:
            assert key in one | other


@given(_DOCUMENTS, _DOCUMENTS, _DOCUMENTS)
def test_a_loosening_in_two_steps_is_found_in_one_step(
    one: dict[str, Any], two: dict[str, Any], three: dict[str, Any]
) -> None:
    """If no step is looser, the whole change is not."""
    steps = {each.key for each in (*looser(one, two, DIRECTIONS), *looser(two, three, DIRECTIONS))}
    for each in looser(one, three, DIRECTIONS):
        assert {each.key, each.key.partition(".")[0]} & {k.partition(".")[0] for k in steps} or (
            each.key in steps
        )


def _keys(found: list[Loosening]) -> set[str]:
    return {each.key for each in found}


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [
        ({"up": 1}, {"up": 2}, "up"),
        ({"up": 1}, {}, "up"),
        ({"down": 2}, {"down": 1}, "down"),
        ({"list": ["a"]}, {"list": ["a", "b"]}, "list"),
        ({}, {"list": ["b"]}, "list"),
        ({"wide": ["a"]}, {}, "wide"),
        ({"kept": ["a", "b"]}, {"kept": ["b"]}, "kept"),
        ({"fixed": "a"}, {"fixed": "b"}, "fixed"),
        ({"order": "strict"}, {"order": "lax"}, "order"),
        ({"table": {"up": 1}}, {}, "table"),
        ({"unknown": 1}, {"unknown": 2}, "unknown"),
        ({"up": 1}, None, ""),
    ],
)
def test_a_looser_setting_is_reported(before: Any, after: Any, key: str) -> None:
    (found,) = looser(before, after, DIRECTIONS)
    assert found.key == key
    assert found.sure == (key != "unknown")
    assert found.sentence


def test_each_key_of_the_schema_has_a_direction() -> None:
    """A new limit in an environment file must declare which direction is looser."""
    assert set(_paths(Environment.model_json_schema())) == set(ENVIRONMENT)


def _paths(schema: dict[str, Any]) -> Iterator[str]:
    yield from dict.fromkeys(_below(schema, schema, ""))


def _below(part: dict[str, Any], schema: dict[str, Any], path: str) -> Iterator[str]:
    if "$ref" in part:
        part = schema["$defs"][part["$ref"].rsplit("/", 1)[1]]
    variants = [each for each in part.get("anyOf", part.get("oneOf", [])) if "$ref" in each]
    if variants:
        for each in variants:
            yield from _below(each, schema, path)
    elif "properties" in part:
        for key, inner in part["properties"].items():
            yield from _below(inner, schema, f"{path}.{key}" if path else key)
    else:
        yield path
