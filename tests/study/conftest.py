"""Two rankings of the same samples: one by length, the other the other way round."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tuna_exp.records import Instruction, RankedExample, write_records
from tuna_exp.stages.rank import RANKING

Folders = Callable[..., list[Path]]


def examples(count: int, better: float, texts: int = 4) -> list[RankedExample]:
    """`count` instructions of two kinds, three to one; `better` is the score of one more word."""
    made = []
    for number in range(count):
        instruction = Instruction(
            id=f"i{number}",
            instruction=f"Say {number}.",
            kind="rare" if number % 4 == 0 else "often",
        )
        said = [f"={number}" + " word" * words for words in range(texts)]
        made.append(
            RankedExample.from_scores(instruction, said, [better * w for w in range(texts)])
        )
    return made


@pytest.fixture
def rankings(tmp_path: Path) -> Folders:
    """Write a ranking "longest" and a ranking "shortest" as artifact folders hold them."""

    def write(count: int = 12) -> list[Path]:
        folders = []
        for name, better in (("longest", 1.0), ("shortest", -1.0)):
            folder = tmp_path / "rank" / name
            folder.mkdir(parents=True)
            (folder / "manifest.json").write_text(f'{{"label": "{name} ranker"}}')
            write_records(folder / RANKING, examples(count, better))
            folders.append(folder)
        return folders

    return write
