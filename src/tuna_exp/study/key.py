"""The key of a study: its items, who sees them in which order, and what the rankers said.

Only the key knows the rankers; the page and the sheets carry its digest. The digest covers what is
shown, so that the verdict of one more ranker can be added to a study that people have answered.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from tuna_exp.errors import UserError
from tuna_exp.records import Record

KEY_FILE = "key.json"
_DIGITS = 15
Kind = Literal["pairs", "lists"]
# Ranks of an item's texts in the key's order: 0 is best, equal ranks tie, none is skipped.
Ranks = tuple[int, ...]


class Item(Record):
    """One question: an instruction and the texts to be compared, in an order that says nothing.

    `verdicts` has each ranker's ranks of the texts, None where it gave none; `source` is the
    instruction's id in its dataset and `stratum` its kind.
    """

    id: str
    instruction: str
    texts: tuple[str, ...] = Field(min_length=2)
    verdicts: dict[str, Ranks | None]
    source: str = ""
    stratum: str = ""

    @model_validator(mode="after")
    def _a_rank_each(self) -> Self:
        for ranker, ranks in self.verdicts.items():
            if ranks is not None and (len(ranks) != len(self.texts) or ranks != dense(ranks)):
                raise ValueError(
                    f"verdict {ranks} of '{ranker}' on {self.id}; expected {len(self.texts)} ranks "
                    "from 0 without gaps"
                )
        return self


class Shown(Record):
    """An item as one seat sees it: slot i shows the text number `order[i]` of the item."""

    item: str
    order: tuple[int, ...]


class Key(Record):
    """A whole study; `seats` has one sequence of items for each rater's place."""

    digest: str
    kind: Kind
    seed: int
    items: tuple[Item, ...] = Field(min_length=1)
    seats: tuple[tuple[Shown, ...], ...] = Field(min_length=1)
    licences: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        kind: Kind,
        seed: int,
        items: Sequence[Item],
        seats: Sequence[Sequence[Shown]],
        licences: Sequence[str] = (),
    ) -> Self:
        """Make a key with the digest that its content has."""
        return cls(
            digest=_digest(kind, items, seats),
            kind=kind,
            seed=seed,
            items=tuple(items),
            seats=tuple(map(tuple, seats)),
            licences=tuple(licences),
        )

    @model_validator(mode="after")
    def _as_it_was_written(self) -> Self:
        if self.digest != _digest(self.kind, self.items, self.seats):
            raise ValueError(f"items or seats are not those of digest {self.digest}")
        texts = {item.id: len(item.texts) for item in self.items}
        for seat in self.seats:
            orders = {shown.item: sorted(shown.order) for shown in seat}
            if orders != {item: list(range(number)) for item, number in texts.items()}:
                raise ValueError("each seat must show every item once with all of its texts")
        return self

    @property
    def rankers(self) -> list[str]:
        """The rankers in the order they were named."""
        return list(dict.fromkeys(name for item in self.items for name in item.verdicts))

    def write(self, folder: Path) -> None:
        """Write the key; raises UserError where the folder has that of another study.

        People may be answering that one, and without its key their answers are worth nothing.
        """
        path = folder / KEY_FILE
        if path.exists() and Key.read(folder).digest != self.digest:
            raise UserError(
                f"{path} belongs to another study, whose answers could not be read without it. "
                "Cure: name another folder with --out, or delete the file."
            )
        path.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a folder's key; raises UserError where there is none that fits its digest."""
        path = folder / KEY_FILE
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError as error:
            raise UserError(
                f"{path} is not there; a study's folder has the key that `tuna-exp study export` "
                "wrote. Cure: name that folder."
            ) from error
        except ValidationError as error:
            raise UserError(
                f"{path}: {error.errors()[0]['msg']}. Cure: restore the file that `tuna-exp study "
                "export` wrote, or export again with the same seed."
            ) from error


def dense(values: Sequence[float]) -> Ranks:
    """Ranks 0, 1, ... of values, lowest first, equal ones tied: (2, 5, 2) becomes (0, 1, 0)."""
    levels = sorted(set(values))
    return tuple(levels.index(value) for value in values)


def _digest(kind: Kind, items: Sequence[Item], seats: Sequence[Sequence[Shown]]) -> str:
    shown = [[item.id, item.instruction, item.texts] for item in items]
    orders = [[[shown.item, shown.order] for shown in seat] for seat in seats]
    digest = hashlib.sha256(json.dumps([kind, shown, orders]).encode()).hexdigest()
    # A letter first: a spreadsheet would make a number of 15 digits, or of some with an e.
    return f"s{digest[:_DIGITS]}"
