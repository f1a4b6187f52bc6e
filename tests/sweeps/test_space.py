"""Search spaces from Hydra's own syntax, and back to overrides that mean the same."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st

from tuna_exp.composing import loading
from tuna_exp.errors import ConfigError
from tuna_exp.sweeps.space import Choice, Numbers, Space, listed, overrides_of, space_of


def space(*overrides: str) -> Space:
    return space_of(OverridesParser.create().parse_overrides(list(overrides)))


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("x=a,b,a", Choice(("a", "b"))),
        ("x=choice('x y',[1,2])", Choice((r"x\ y", "[1,2]"))),
        ("x='a,b',null,true", Choice(("'a,b'", "null", "True"))),
        ("x=interval(0.1,1)", Numbers(0.1, 1)),
        ("x=int(interval(1,8))", Numbers(1, 8, whole=True)),
        ("x=float(interval(1,8))", Numbers(1.0, 8.0)),
        ("x=tag(log,interval(1e-6,1e-4))", Numbers(1e-6, 1e-4, log=True)),
        ("x=tag(log, int(interval(1,64)))", Numbers(1, 64, log=True, whole=True)),
        ("x=range(1,8,3)", Numbers(1, 7, 3, whole=True)),
        ("x=range(5,0,-2)", Numbers(1, 5, 2, whole=True)),
        ("x=range(0.1,0.5,0.1)", Numbers(0.1, 0.4, 0.1)),
    ],
)
def test_what_was_typed_is_understood(typed: str, expected: Choice | Numbers) -> None:
    assert space(typed).dimensions == {"x": expected}


def test_ranges_are_hydras() -> None:
    """Every value that Hydra's own sweeper would make, and no other."""
    for typed in ("range(0.1,0.5,0.1)", "range(1,8,3)", "range(3,0,-1)", "range(0,1,0.25)"):
        (parsed,) = OverridesParser.create().parse_overrides([f"x={typed}"])
        ours = sorted(float(value) for value in listed(space(f"x={typed}"))["x"])
        assert ours == pytest.approx(sorted(float(v) for v in parsed.sweep_string_iterator()))


def test_what_does_not_vary_is_as_it_was_typed() -> None:
    made = space("+a=b", "seed=1,2", "c='x, y'", "seed=3", "~logger", "++d@e=f,g")
    assert made == Space({"++d@e": Choice(("f", "g"))}, ("+a=b", "c='x, y'", "seed=3", "~logger"))
    assert overrides_of(made, {"++d@e": "g"})[-1] == "++d@e=g"


def test_a_glob_is_every_option_that_fits() -> None:
    with loading(None) as opened:
        made = space_of(opened.parse(["method=glob(tuna*)"]))
    assert made.dimensions == {"method": Choice(("tuna", "tuna_c", "tuna_p"))}


@settings(max_examples=15)  # Hydra's parser is slow
@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=1))
def test_any_text_comes_back_as_it_was(text: str) -> None:
    quoted = "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    typed = f"x={quoted},b"
    (before,) = OverridesParser.create().parse_overrides([f"x={quoted}"])
    made = space(typed)
    (after,) = OverridesParser.create().parse_overrides(
        overrides_of(made, {"x": made.dimensions["x"].values[0]})
    )
    assert after.value() == before.value()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_number_comes_back_as_it_was(number: float) -> None:
    (parsed,) = OverridesParser.create().parse_overrides([f"x={Numbers(0, 1).typed(number)}"])
    assert parsed.value() == number and isinstance(parsed.value(), float)


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("x=interval(2,1)", "holds nothing"),
        ("x=range(2,1)", "holds nothing"),
        ("x=tag(log,interval(0,1))", "logarithm of 0"),
        ("x=tag(wide,interval(0,1))", "tag wide; allowed are log"),
        ("x=tag(log,choice(1,2))", "tag log"),
        ("x=tag(log,range(1,9,2))", "steps and log"),
    ],
)
def test_what_cannot_be_searched_is_refused(typed: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        space(typed)


def test_a_grid_needs_values_that_end() -> None:
    with pytest.raises(ConfigError, match=r"x=interval.*x=range"):
        listed(space("x=interval(0,1)"))
