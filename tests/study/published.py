"""Published human verdicts as a study's key and answers, through the files that raters return.

Texts and verdicts are those of the sets collected in shared/data/ranking; shared/data/README.md has
formats and licences. Nothing of them is part of this project.
"""

import gzip
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuna_exp.study.answers import Answers, read_answers
from tuna_exp.study.key import Item, Key, Ranks, Shown

_CHECKOUT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("TUNA_EXP_SHARED", _CHECKOUT.parent / "shared")) / "data" / "ranking"
FIRST, SECOND, TIE = (0, 1), (1, 0), (0, 0)
Row = dict[str, Any]


def rows(name: str) -> list[Row]:
    """The lines of one set."""
    with gzip.open(SHARED / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def pair(name: str, row: Row, texts: Sequence[str], verdicts: Mapping[str, Ranks | None]) -> Item:
    """One question of two texts, named by the fields `texts` of the row."""
    first, second = (str(row[text]) for text in texts)
    prompt = str(row.get("instruction") or row.get("input") or row.get("prompt"))
    return Item(id=name, instruction=prompt, texts=(first, second), verdicts=dict(verdicts))


def study(items: Sequence[Item]) -> Key:
    """A key whose one seat shows every pair as it was published."""
    return Key.of("pairs", 0, items, [[Shown(item=item.id, order=(0, 1)) for item in items]])


def returned(
    folder: Path, key: Key, said: Mapping[str, Iterable[tuple[str, Ranks]]]
) -> list[Answers]:
    """Write what the page would export for each rater, and read it as `study import` does."""
    paths = []
    for rater, verdicts in said.items():
        places = [{"item": i, "places": [rank + 1 for rank in ranks]} for i, ranks in verdicts]
        path = folder / f"{rater}.json"
        path.write_text(
            json.dumps({"study": key.digest, "rater": rater, "seat": 1, "answers": places})
        )
        paths.append(path)
    return read_answers(paths, key, allow_missing=True)


def pandalm(unreadable: Ranks | None) -> tuple[Key, dict[str, list[tuple[str, Ranks]]]]:
    """999 pairs with three people, GPT-3.5 and PandaLM-7B.

    `unreadable` is what the 25 replies of GPT-3.5 that name no verdict are taken for.
    """
    ranks = {"1": FIRST, "2": SECOND, "0": TIE, "Tie": TIE, "garbage": unreadable}
    items, said = [], defaultdict(list)
    for row in rows("pandalm_human_pairs"):
        name = f"{row['idx']}-{row['cmp_key']}"
        verdicts = {
            "gpt-3.5-turbo": ranks[str(row["gpt_3_5_turbo"]["gpt_result"])],
            "PandaLM-7B": ranks[str(row["pandalm_7b"]["pandalm_result"])],
        }
        items.append(pair(name, row, ("response1", "response2"), verdicts))
        for number in (1, 2, 3):
            verdict = ranks[str(row[f"annotator{number}"])]
            assert verdict is not None
            said[f"annotator{number}"].append((name, verdict))
    return study(items), dict(said)


def llmbar(subset: str, prompt: str) -> tuple[Key, dict[str, list[tuple[str, Ranks]]]]:
    """Pairs of one subset with their gold label as the rater; GPT-4 in both orders as rankers."""
    ranks = {"1": FIRST, "2": SECOND, None: None}
    items, gold = [], []
    for row in rows("llmbar_pairs"):
        if row["subset"] == subset:
            name, orders = str(row["index"]), row["gpt4"][prompt]
            verdicts = {order: ranks[said] for order, said in orders.items()}
            items.append(pair(name, row, ("output_1", "output_2"), verdicts))
            gold.append((name, FIRST if row["label"] == 1 else SECOND))
    return study(items), {"gold": gold}


def tulu(other: str) -> tuple[Key, dict[str, list[tuple[str, Ranks]]]]:
    """Tülu-65B (the first text) against another model, each pair rated by the experts who saw it.

    Of one expert's several records of a pair the last counts, as in human_eval/compute_metrics.py
    of open-instruct; the number of the record stands for its time, which is not in the set. So
    does it for the order of experts, of whom only the first two count there: they are raters
    "first" and "second".
    """
    seen: dict[str, dict[str, Row]] = defaultdict(dict)
    for row in sorted(rows("tulu_human_pairs"), key=lambda row: -row["id"]):
        if {row["model_a"], row["model_b"]} == {"tulu_65B", other}:
            seen[row["instance_id"]].setdefault(row["evaluator"], row)
    items, said = [], defaultdict(list)
    for name, by_rater in sorted(seen.items()):
        records = sorted(by_rater.values(), key=lambda row: row["id"])
        straight = records[0]["model_a"] == "tulu_65B"
        texts = ("completion_a", "completion_b") if straight else ("completion_b", "completion_a")
        items.append(pair(name, records[0], texts, {}))
        for rater, record in zip(("first", "second"), records, strict=False):
            said[rater].append((name, _preferred(record)))
    return study(items), dict(said)


def _preferred(record: Row) -> Ranks:
    """Ranks of Tülu-65B's completion and the other's; slightly and clearly better are one."""
    if record["preference"] == "tie":
        return TIE
    chosen = record["model_a"] if record["preference"].startswith("a-") else record["model_b"]
    return FIRST if chosen == "tulu_65B" else SECOND
