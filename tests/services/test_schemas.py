"""Instances are valid, and the numbers decide which one comes."""

import itertools
from typing import Any

import jsonschema
import pytest

from tests.services.answers import draws
from tests.services.schemas import instance

PAIR = {"properties": {"a": {"type": "boolean"}}, "required": ["a"]}
SCHEMAS: list[dict[str, Any]] = [
    {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 3},
    {"type": "integer", "maximum": -3},
    {"type": "integer", "minimum": 7, "multipleOf": 5},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1e-3},
    {"type": "number", "minimum": 0.5, "maximum": 1.75, "multipleOf": 0.25},
    {"type": ["string", "null"], "minLength": 30, "maxLength": 40},
    {"type": "array", "items": {"enum": [1, 2, 3]}, "minItems": 3, "uniqueItems": True},
    {"type": "array", "prefixItems": [{"const": "x"}, {"type": "null"}], "items": False},
    {"type": "object", "allOf": [PAIR, {"properties": {"b": {"const": 1}}, "required": ["b"]}]},
    {"oneOf": [{"type": "boolean"}, {"$ref": "#/$defs/c"}], "$defs": {"c": {"const": "c"}}},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: str(schema)[:40])
def test_instances_are_valid_and_differ(schema: dict[str, Any]) -> None:
    made = [instance(schema, draws(i)) for i in range(50)]
    for value in made:
        jsonschema.validate(value, schema)
    assert made == [instance(schema, draws(i)) for i in range(50)]
    assert "prefixItems" in schema or len(list(itertools.groupby(made))) > 1
