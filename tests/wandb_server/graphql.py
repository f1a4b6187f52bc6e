"""Just enough GraphQL to answer a client whose schema nobody here has: a parser and a walk.

A query's selections are walked over plain dicts; a callable is given the field's arguments, and a
field that is not there is null and remembered. Left out: types, so that nothing is checked.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(
    r'(?:[\s,\ufeff]|#[^\n]*)*("""(?:.|\n)*?"""|"(?:\\.|[^"\\])*"|\.\.\.|[\w.+-]+|[{}()\[\]:!=$@|])'
)
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True)
class Variable:
    """A value that comes with the query."""

    name: str


@dataclass
class Selection:
    """A field with its arguments, or a fragment: on a type, named or written here."""

    name: str = ""
    key: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    directives: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    inside: list["Selection"] = field(default_factory=list)
    fragment: str = ""
    on: str = ""


@dataclass
class Operation:
    """A query or mutation with the defaults of its variables, and the document's fragments."""

    name: str
    defaults: dict[str, Any]
    inside: list[Selection]
    fragments: dict[str, Selection] = field(default_factory=dict)


class Parser:
    """Recursive descent over the tokens of one document."""

    def __init__(self, text: str) -> None:
        self.tokens = _TOKEN.findall(text)
        self.at = 0

    @property
    def next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, expected: str = "") -> str:
        token = self.next
        if not token or (expected and token != expected):
            raise ValueError(f"expected {expected or 'more'}, got {token or 'the end'}")
        self.at += 1
        return token

    def took(self, token: str) -> bool:
        if self.next != token:
            return False
        self.at += 1
        return True

    def document(self) -> Operation:
        operations, fragments = [], {}
        while self.next:
            if self.took("fragment"):
                name = self.take()
                self.take("on")
                on = self.take()
                fragments[name] = Selection(on=on, inside=self.selections())
            else:
                operations.append(self.operation())
        operations[0].fragments = fragments
        return operations[0]

    def operation(self) -> Operation:
        name, defaults = "", {}
        if self.next != "{":
            self.take()  # query or mutation
            name = "" if self.next in "({@" else self.take()
            if self.took("("):
                while not self.took(")"):
                    self.take("$")
                    variable = self.take()
                    self.take(":")
                    self.type()
                    if self.took("="):
                        defaults[variable] = self.value()
            self.directives()
        return Operation(name, defaults, self.selections())

    def type(self) -> None:
        if self.took("["):
            self.type()
            self.take("]")
        else:
            self.take()
        self.took("!")

    def selections(self) -> list[Selection]:
        found = []
        self.take("{")
        while not self.took("}"):
            found.append(self.selection())
        return found

    def selection(self) -> Selection:
        if self.took("..."):
            if self.next not in ("on", "{", "@"):
                return Selection(fragment=self.take(), directives=self.directives())
            on = self.take() and self.take() if self.next == "on" else ""
            return Selection(on=on, directives=self.directives(), inside=self.selections())
        key = name = self.take()
        if self.took(":"):
            name = self.take()
        made = Selection(name, key, self.arguments(), self.directives())
        if self.next == "{":
            made.inside = self.selections()
        return made

    def arguments(self) -> dict[str, Any]:
        found = {}
        if self.took("("):
            while not self.took(")"):
                name = self.take()
                self.take(":")
                found[name] = self.value()
        return found

    def directives(self) -> list[tuple[str, dict[str, Any]]]:
        found = []
        while self.took("@"):
            name = self.take()
            found.append((name, self.arguments()))
        return found

    def value(self) -> Any:
        token = self.take()
        if token == "$":
            return Variable(self.take())
        if token == "[":
            listed = []
            while not self.took("]"):
                listed.append(self.value())
            return listed
        if token == "{":
            made = {}
            while not self.took("}"):
                name = self.take()
                self.take(":")
                made[name] = self.value()
            return made
        return _literal(token)


def _literal(token: str) -> Any:
    if token.startswith('"'):
        return token.strip('"') if token.startswith('"""') else token[1:-1]
    if token in _WORDS:
        return _WORDS[token]
    if re.fullmatch(r"-?\d+", token):
        return int(token)
    return float(token) if re.fullmatch(r"-?[\d.]+([eE][+-]?\d+)?", token) else token


@dataclass
class Walk:
    """One execution; `unknown` gathers the dotted paths of fields that nothing answers."""

    operation: Operation
    variables: Mapping[str, Any]
    unknown: set[str]

    def run(self, root: Mapping[str, Any]) -> dict[str, Any]:
        return self.object(self.operation.inside, root, "")

    def object(self, wanted: list[Selection], of: Mapping[str, Any], path: str) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        for one in self.fields(wanted, of):
            if one.name not in of and one.name != "__typename":
                self.unknown.add(f"{path}.{one.name}")
            found = of.get(one.name)
            if callable(found):
                found = found(**{k: self.filled(v) for k, v in one.arguments.items()})
            put(answer, one.key, self.shaped(found, one, f"{path}.{one.name}"))
        return answer

    def fields(self, wanted: list[Selection], of: Mapping[str, Any]) -> Iterator[Selection]:
        for one in wanted:
            if any(self.filled(a["if"]) == (name == "skip") for name, a in one.directives):
                continue
            if one.name:
                yield one
                continue
            fragment = self.operation.fragments[one.fragment] if one.fragment else one
            kind = of.get("__typename")
            # An interface covers several of our kinds; only two unlike object types exclude.
            if fragment.on and kind and fragment.on != kind and fragment.on in EXCLUSIVE:
                continue
            yield from self.fields(fragment.inside, of)

    def shaped(self, value: Any, one: Selection, path: str) -> Any:
        if isinstance(value, list):
            return [self.shaped(each, one, path) for each in value]
        if isinstance(value, dict) and one.inside:
            return self.object(one.inside, value, path)
        return value

    def filled(self, value: Any) -> Any:
        if isinstance(value, Variable):
            default = self.operation.defaults.get(value.name)
            return self.variables.get(value.name, default)
        if isinstance(value, list):
            return [self.filled(each) for each in value]
        if isinstance(value, dict):
            return {key: self.filled(each) for key, each in value.items()}
        return value


# Types of which an object is only one.
EXCLUSIVE = frozenset({"ArtifactSequence", "ArtifactPortfolio", "Run", "Sweep", "Project", "User"})


def put(answer: dict[str, Any], key: str, value: Any) -> None:
    """Put a field in, joined with what another selection of it has found."""
    there = answer.get(key)
    if isinstance(there, dict) and isinstance(value, dict):
        for name, each in value.items():
            put(there, name, each)
    else:
        answer[key] = value


def execute(
    query: str, variables: Mapping[str, Any] | None, root: Mapping[str, Any], unknown: set[str]
) -> tuple[str, dict[str, Any]]:
    """Answer a query from plain values; returns its name (or first field) and its data."""
    operation = Parser(query).document()
    name = operation.name or operation.inside[0].name
    return name, Walk(operation, variables or {}, unknown).run(root)
