"""A valid instance of a JSON schema, drawn from a stream of whole numbers.

Knows what structured outputs of both vendors allow: types, const, enum, anyOf and oneOf, allOf of
objects, $ref into $defs, bounds of numbers, lengths of strings and arrays. Left out: pattern,
format, recursive schemas, conditions. Items of an array differ where the schema has room for it,
so a schema of ranks gets a permutation.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

_TRIES = 200


def instance(schema: Mapping[str, Any], numbers: Iterator[int]) -> Any:
    """Return a value that the schema allows; the numbers decide which."""
    return _make(schema, schema, numbers)


def _make(schema: Mapping[str, Any], root: Mapping[str, Any], numbers: Iterator[int]) -> Any:
    schema = _resolved(schema, root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return _pick(schema["enum"], numbers)
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return _make(_pick(schema[key], numbers), root, numbers)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = _pick(kind, numbers)
    return _MAKERS[kind](schema, root, numbers)


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        found: Any = root
        for key in schema["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        schema = found
    merged = dict(schema)
    for part in merged.pop("allOf", ()):
        part = _resolved(part, root)
        properties = {**merged.get("properties", {}), **part.get("properties", {})}
        merged |= {**part, **({"properties": properties} if properties else {})}
    return merged


def _pick(options: list[Any], numbers: Iterator[int]) -> Any:
    return options[next(numbers) % len(options)]


def _object(schema: Mapping[str, Any], root: Mapping[str, Any], numbers: Iterator[int]) -> Any:
    parts = schema.get("properties", {})
    return {name: _make(part, root, numbers) for name, part in parts.items()}


def _array(schema: Mapping[str, Any], root: Mapping[str, Any], numbers: Iterator[int]) -> Any:
    first = [_make(part, root, numbers) for part in schema.get("prefixItems", ())]
    least = max(schema.get("minItems", 0 if first else 1), len(first))
    count = min(least, schema.get("maxItems", least))
    while len(first) < count:
        first.append(_unlike(first, schema.get("items") or {}, root, numbers))
    return first


def _unlike(
    others: list[Any], schema: Mapping[str, Any], root: Mapping[str, Any], numbers: Iterator[int]
) -> Any:
    value = _make(schema, root, numbers)
    for _ in range(_TRIES):
        if value not in others:
            break
        value = _make(schema, root, numbers)
    return value


def _integer(schema: Mapping[str, Any], root: Mapping[str, Any], numbers: Iterator[int]) -> int:
    return int(_multiple(schema, schema.get("multipleOf", 1), numbers))


def _number(schema: Mapping[str, Any], root: Mapping[str, Any], numbers: Iterator[int]) -> float:
    if "multipleOf" in schema:
        return _multiple(schema, schema["multipleOf"], numbers)
    least, most = _bounds(schema)
    inner = 1 + next(numbers) % 999  # never an end, which may be excluded
    return least + (most - least) * inner / 1000


def _multiple(schema: Mapping[str, Any], step: float, numbers: Iterator[int]) -> float:
    least, most = _bounds(schema)
    first, last = math.ceil(least / step), math.floor(most / step)
    first += first * step == schema.get("exclusiveMinimum")
    last -= last * step == schema.get("exclusiveMaximum")
    return step * (first + next(numbers) % (last - first + 1))


def _bounds(schema: Mapping[str, Any]) -> tuple[float, float]:
    least = schema.get("minimum", schema.get("exclusiveMinimum"))
    most = schema.get("maximum", schema.get("exclusiveMaximum"))
    if least is None:
        least = 0 if most is None or most > 0 else most - 100
    return least, least + 100 if most is None else most


def _string(schema: Mapping[str, Any], root: Mapping[str, Any], numbers: Iterator[int]) -> str:
    text = f"text {next(numbers) % 10_000}"
    text += "." * (schema.get("minLength", 0) - len(text))
    return text[: schema.get("maxLength")]


_MAKERS = {
    "object": _object,
    "array": _array,
    "integer": _integer,
    "number": _number,
    "string": _string,
    "boolean": lambda schema, root, numbers: next(numbers) % 2 == 0,
    "null": lambda schema, root, numbers: None,
}
