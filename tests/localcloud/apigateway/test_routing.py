from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.apigateway.routing import RouteTable

# Names that often collide, one that needs encoding, and a parameter name for each depth.
NAME = st.sampled_from(["a", "b", "c d"])
RESOURCE = st.tuples(st.lists(st.one_of(NAME, st.just("{}")), max_size=3), st.booleans()).map(
    lambda drawn: (
        "/"
        + "/".join(
            [f"{{p{depth}}}" if part == "{}" else part for depth, part in enumerate(drawn[0])]
            + (["{rest+}"] if drawn[1] else [])
        )
    )
)
METHODS = st.sampled_from([("GET",), ("ANY",), ("GET", "ANY")])


def fits(resource: str, segments: list[str]) -> tuple[list[int], dict[str, str]] | None:
    """Return how unspecific a resource is at each segment, and its parameters.

    None means that the resource does not match the path.
    """
    parts = [each for each in resource.split("/") if each]
    ranks: list[int] = []
    parameters: dict[str, str] = {}
    for at, segment in enumerate(segments):
        if at >= len(parts):
            return None
        if parts[at] == "{rest+}":
            rest = "/".join(quote(each) for each in segments[at:])
            return [*ranks, 2], parameters | {"rest": rest}
        if parts[at] == segment:
            ranks.append(0)
        elif parts[at].startswith("{"):
            ranks.append(1)
            parameters[parts[at][1:-1]] = quote(segment)
        else:
            return None
    return (ranks, parameters) if len(parts) == len(segments) else None


@given(
    st.dictionaries(RESOURCE, METHODS, max_size=8),
    st.lists(NAME, max_size=4),
    st.sampled_from(["GET", "POST"]),
    st.booleans(),
)
def test_the_most_specific_resource_wins(
    resources: dict[str, tuple[str, ...]], segments: list[str], method: str, slash: bool
) -> None:
    table = RouteTable(
        (path, name, (path, name)) for path, names in resources.items() for name in names
    )
    path = "/" + "/".join(quote(each) for each in segments) + ("/" if slash else "")
    candidates = [
        (fit[0], resource, fit[1])
        for resource in resources
        if (fit := fits(resource, segments)) is not None
    ]
    expected = None
    if candidates:
        _, best, parameters = min(candidates, key=lambda each: each[0])
        name = method if method in resources[best] else "ANY"
        if name in resources[best]:
            expected = ((best, name), parameters)
    assert table.match(method, path) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", None),
        ("/pets", ("/pets", {})),
        ("/pets/", ("/pets", {})),
        ("/pets/a%2Fb", ("/pets/{id}", {"id": "a%2Fb"})),
        ("/pets/1/toys/2/3", ("/pets/{id}/{rest+}", {"id": "1", "rest": "toys/2/3"})),
        ("/%70ets", ("/pets", {})),
        ("/other", None),
    ],
)
def test_parameters_stay_encoded(path: str, expected: Any) -> None:
    paths = ["/pets", "/pets/{id}", "/pets/{id}/{rest+}"]
    table = RouteTable([(each, "ANY", each) for each in paths])
    assert table.match("GET", path) == expected
