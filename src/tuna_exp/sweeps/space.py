"""What a search may choose from, in Hydra's own syntax: a,b  choice()  range()  interval()  glob().

Left out: the order of shuffle() and sort(), as a search takes values in an order of its own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException

from tuna_exp.errors import ConfigError

LOG = "log"


@dataclass(frozen=True)
class Choice:
    """One of several values, each as it is typed in an override, with its quotes."""

    values: tuple[str, ...]


@dataclass(frozen=True)
class Numbers:
    """A number from `low` to `high`, both included, `step` apart where there is one.

    `whole` numbers are integers; `log` says that ratios count, not differences.
    """

    low: float
    high: float
    step: float | None = None
    log: bool = False
    whole: bool = False

    @property
    def values(self) -> tuple[str, ...]:
        """All of them, as they are typed; none where they are too many to list."""
        if self.step is None:
            return ()
        low, high, step = (Decimal(str(value)) for value in (self.low, self.high, self.step))
        count = int((high - low) / step) + 1
        return tuple(self.typed(float(low + step * i)) for i in range(count))

    def typed(self, value: float) -> str:
        """Return a number as it is typed in an override."""
        return str(int(value)) if self.whole else repr(float(value))


Dimension = Choice | Numbers


@dataclass(frozen=True)
class Space:
    """What varies, by the key of its override, and the overrides that every job has."""

    dimensions: Mapping[str, Dimension]
    fixed: tuple[str, ...]


def space_of(overrides: Iterable[Override]) -> Space:
    """Tell what varies from what does not; of a key that is given twice the last one counts.

    Raises ConfigError for a range or interval that holds nothing or cannot be taken as tagged.
    """
    dimensions: dict[str, Dimension] = {}
    fixed: dict[str, str] = {}
    for override in overrides:
        key = override.get_key_element()
        if override.is_sweep_override():
            fixed.pop(key, None)
            dimensions[key] = _dimension(key, override)
        else:
            dimensions.pop(key, None)
            fixed[key] = str(override.input_line)
    return Space(dimensions, tuple(fixed.values()))


def overrides_of(space: Space, chosen: Mapping[str, str]) -> tuple[str, ...]:
    """Return the overrides of one job, given what was chosen for each key, as typed."""
    return (*space.fixed, *(f"{key}={chosen[key]}" for key in space.dimensions))


def tried(space: Space) -> Iterator[tuple[str, ...]]:
    """Yield overrides in which each option stands once, to see whether they can be composed."""
    first = {
        key: one.values[0] if isinstance(one, Choice) else one.typed(one.low)
        for key, one in space.dimensions.items()
    }
    yield overrides_of(space, first)
    for key, one in space.dimensions.items():
        if isinstance(one, Choice):
            yield from (overrides_of(space, {**first, key: value}) for value in one.values[1:])


def _dimension(key: str, override: Override) -> Dimension:
    value: Any = override.value()
    tags = set(getattr(value, "tags", ()))
    unknown = sorted(tags - {LOG})
    if unknown or (tags and override.is_choice_sweep()):
        raise _refused(
            key, override, f"tag {', '.join(unknown) or LOG}", f"{LOG}, of an interval or range"
        )
    if isinstance(value, IntervalSweep):
        return _interval(key, override, value)
    if isinstance(value, RangeSweep):
        return _range(key, override, value)
    try:
        values = tuple(dict.fromkeys(override.sweep_string_iterator()))
    except HydraException as error:
        raise _refused(key, override, str(error), "values") from error
    if not values:
        raise _refused(key, override, "it holds nothing", "at least one value")
    return Choice(values)


def _interval(key: str, override: Override, given: IntervalSweep) -> Numbers:
    low, high = given.start, given.end
    assert low is not None and high is not None
    whole, log = isinstance(low, int) and isinstance(high, int), LOG in given.tags
    if not low < high:
        raise _refused(key, override, "it holds nothing", "interval(LOW, HIGH) with LOW < HIGH")
    _check_log(key, override, low, log)
    return Numbers(low, high, None, log, whole)


def _range(key: str, override: Override, given: RangeSweep) -> Numbers:
    values = [float(value) for value in given.range()]
    if not values:
        raise _refused(key, override, "it holds nothing", "range(START, STOP, STEP) with values")
    log, step = LOG in given.tags, abs(float(given.step))
    whole = isinstance(given.range(), range)
    _check_log(key, override, min(values), log)
    if log and not (whole and step == 1):
        raise _refused(key, override, "steps and log", "tag(log, interval(LOW, HIGH))")
    exact = Decimal(str(given.step)) * (len(values) - 1) + Decimal(str(given.start))
    low, high = sorted((float(str(given.start)), float(exact)))
    return Numbers(low, high, step, log, whole)


def _check_log(key: str, override: Override, low: float, log: bool) -> None:
    if log and low <= 0:
        raise _refused(key, override, "a logarithm of 0 or less", "numbers above 0")


def _refused(key: str, override: Override, what: str, allowed: str) -> ConfigError:
    return ConfigError(
        f"{override.input_line}: {what}; allowed are {allowed}. Cure: correct {key}=..."
    )


def signature(space: Space) -> dict[str, Any]:
    """Return a space as JSON values, to tell whether two searches are the same."""
    dimensions = {
        key: [*one.values] if isinstance(one, Choice) else vars(one)
        for key, one in space.dimensions.items()
    }
    return {"dimensions": dimensions, "fixed": sorted(space.fixed)}


def listed(space: Space) -> dict[str, Sequence[str]]:
    """Return all values of every key. Raises ConfigError where they cannot be listed."""
    for key, one in space.dimensions.items():
        if not one.values:
            raise ConfigError(
                f"{key}=interval(...) has no end of values, and a grid tries them all. Cure: "
                f"{key}=range(START, STOP, STEP) or {key}=A,B,C, or another method."
            )
    return {key: one.values for key, one in space.dimensions.items()}
