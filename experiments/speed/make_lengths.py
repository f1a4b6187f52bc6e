"""Write lengths.json: how long prompts and responses of real data are, in SmolLM2's tokens.

    python -m experiments.speed.make_lengths ALPACA.json.gz SUPERNI_TASKS.tar.gz

Only lengths are kept, never a text. Alpaca: every 17th record in the Alpaca template. Super-NI: the
first five instances of every test task, so that each task counts alike, after the definition and
two positive examples, cut as Tk-Instruct cuts (1,024 tokens of prompt, 128 of response).
"""

import argparse
import json
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiments.speed.lengths import STORED
from tuna_exp.datasets.reading import read_rows
from tuna_exp.models.embedded import EmbeddedSmolLM2
from tuna_exp.models.loading import load_tokenizer
from tuna_exp.models.prompts import PromptEncoder
from tuna_exp.records import Instruction

ALPACA_STRIDE = 17
INSTANCES = 5
SHOTS = 2
MOST_PROMPT, MOST_RESPONSE = 1024, 128

Pair = tuple[int, int]


def alpaca(path: Path, encoder: PromptEncoder) -> Iterator[Pair]:
    """Yield the tokens of prompt and response of every 17th record."""
    for row in read_rows(path, None).values[::ALPACA_STRIDE]:
        record: Any = row
        if record["output"]:
            instruction = Instruction(
                id="-", instruction=record["instruction"], input=record["input"]
            )
            response = encoder.response_ids(record["output"])
            yield len(encoder.prompt_ids(instruction)), len(response)


def superni(path: Path, encoder: PromptEncoder) -> Iterator[Pair]:
    """Yield the tokens of prompt and response of the first instances of every task."""
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            file = archive.extractfile(member) if member.name.endswith(".json") else None
            if file is not None:
                yield from task_pairs(json.load(file), encoder)


def task_pairs(task: dict[str, Any], encoder: PromptEncoder) -> Iterator[Pair]:
    """Yield the lengths of one task's first instances."""
    for instance in task["Instances"][:INSTANCES]:
        if instance["output"][0].strip():
            prompt = Instruction(id="-", instruction=two_shot(task, instance["input"]))
            response = encoder.response_ids(instance["output"][0])
            yield (
                min(len(encoder.prompt_ids(prompt)), MOST_PROMPT),
                min(len(response), MOST_RESPONSE),
            )


def two_shot(task: dict[str, Any], asked: str) -> str:
    """Return the prompt of Tk-Instruct: the definition, two positive examples, the instance."""
    shown = "".join(
        f" Positive Example {i} -\nInput: {e['input'].strip()}\n Output: {e['output'].strip()}\n\n"
        for i, e in enumerate(task["Positive Examples"][:SHOTS], 1)
    )
    return (
        f"Definition: {task['Definition'][0].strip()}\n\n{shown}"
        f"Now complete the following example -\nInput: {asked.strip()}\nOutput: "
    )


def stored(pairs: Iterator[Pair]) -> list[list[int]]:
    """Return [prompt, response, count] of every pair of lengths that occurs, in order."""
    return [[*pair, count] for pair, count in sorted(Counter(pairs).items())]


def main() -> None:
    """Tokenise the two files and write lengths.json beside this module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("alpaca", type=Path)
    parser.add_argument("superni", type=Path)
    told = parser.parse_args()
    tokenizer = load_tokenizer(EmbeddedSmolLM2().resolve())
    histograms = {
        "alpaca": stored(alpaca(told.alpaca, PromptEncoder(tokenizer, "alpaca"))),
        "superni_2shot": stored(superni(told.superni, PromptEncoder(tokenizer, "raw"))),
    }
    lines = (f'"{name}": {json.dumps(found)}' for name, found in histograms.items())
    STORED.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
