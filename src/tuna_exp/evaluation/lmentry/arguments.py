"""The metadata of an example, read by name and type."""

from collections.abc import Mapping

from tuna_exp.errors import DataError


class Arguments:
    """What an example's prompt was made of; a missing or wrong value is a DataError."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def word(self, name: str) -> str:
        """Return a text as it stands."""
        value = self._values.get(name)
        if not isinstance(value, str) or not value or "\0" in value:
            raise _wrong(name, value, "a text")
        return value

    def lower(self, name: str) -> str:
        """Return a text in lower case."""
        return self.word(name).lower()

    def number(self, name: str) -> int:
        """Return a whole number."""
        value = self._values.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise _wrong(name, value, "a whole number")
        return value

    def words(self, name: str) -> list[str]:
        """Return a list of texts."""
        value = self._values.get(name)
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise _wrong(name, value, "a list of texts")
        return [str(entry) for entry in value]


def _wrong(name: str, value: object, allowed: str) -> DataError:
    return DataError(
        f"LMentry's '{name}' is {value!r}; allowed: {allowed}. "
        "Cure: use the task files as published, unchanged"
    )
