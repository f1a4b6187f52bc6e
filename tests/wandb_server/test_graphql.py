"""The parser and the walk, on what the clients send."""

from typing import Any

from tests.wandb_server.graphql import execute

QUERY = """
query Q($name: String!, $first: Int = 2, $deep: [In!]! = [{a: 1, b: "x,y"}]) {
  one: thing(name: $name, first: $first, deep: $deep) { ...Part extra @include(if: false) }
  list { ... on Other { no } ... on Kind { value } }
}
fragment Part on Thing { __typename value nothing }
"""


def test_a_query_is_answered_from_plain_values() -> None:
    asked: list[dict[str, Any]] = []

    def thing(**arguments: Any) -> dict[str, Any]:
        asked.append(arguments)
        return {"__typename": "Thing", "value": 7, "extra": 8}

    root = {"thing": thing, "list": [{"__typename": "Kind", "value": 1}]}
    unknown: set[str] = set()
    name, data = execute(QUERY, {"name": "n"}, root, unknown)
    assert (name, asked) == ("Q", [{"name": "n", "first": 2, "deep": [{"a": 1, "b": "x,y"}]}])
    assert data["one"] == {"__typename": "Thing", "value": 7, "nothing": None}
    assert data["list"][0]["value"] == 1 and unknown == {".thing.nothing", ".list.no"}
