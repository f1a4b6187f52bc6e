"""Every parser of text that comes from outside, and texts that are nearly right.

A parser gives a value, or says in words what is wrong (`tuna_exp.errors`, `ReplyError`, a kind of
refusal); anything else, and not to end, is a fault. `tests/test_parsers.py` tries a few texts in
every test run, `python -m tests.slow.fuzz` (`make fuzz SECONDS=600`) as many as time allows.
"""

import json
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from hypothesis import strategies as st

from tuna_exp.cli import USER_ERROR, outside, words_of
from tuna_exp.commands import COMMANDS
from tuna_exp.composing import COMPOSITION_ERRORS, loading
from tuna_exp.config_errors import check_override
from tuna_exp.datasets.alpaca import AlpacaDataset
from tuna_exp.datasets.jsonl import JsonlDataset
from tuna_exp.datasets.tuna_release import TunaReleaseDataset
from tuna_exp.errors import UserError
from tuna_exp.evaluation.lmentry.data import FILES, instructions
from tuna_exp.evaluation.superni.tasks import parse_task
from tuna_exp.llms.replay import recorded
from tuna_exp.rankers import contextual, pairwise, rubric
from tuna_exp.services.requests import ReplyError
from tuna_exp.services.wires import WIRES
from tuna_exp.study.answers import read_answers
from tuna_exp.study.key import Item, Key, Shown

Parse = Callable[[str], object]
ITEM = Item(id="a", instruction="Say it.", texts=("x", "y"), verdicts={})
KEYS = {
    kind: Key.of(kind, 0, [ITEM], [[Shown(item="a", order=(0, 1))]]) for kind in ("pairs", "lists")
}
FIELDS = {
    "instruction": "instruction", "input": "input", "output": "output", "id": None,
    "responses": "responses", "scores": "scores",
}  # fmt: skip
TOLD = (UserError, ReplyError)


def _from_file(read: Callable[[Path], object], name: str) -> Parse:
    def parse(text: str) -> object:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(text.encode("utf-8", "surrogatepass"))
            return read(path)

    return parse


def _override(text: str) -> object:
    """Compose with an override; whatever is raised must have words of ours for a user."""
    check_override(text, tuple(COMMANDS))
    with loading(None) as configs:
        try:
            return configs.compose(["experiment=tiny", text])
        except Exception as error:
            # Not for a fault of ours, which it would write down.
            if not isinstance(error, (*COMPOSITION_ERRORS, ValueError)) and not outside(error):
                raise
            message, status = words_of(error, [text])
            assert status == USER_ERROR, message
            return message


def _ranked(path: Path) -> object:
    return JsonlDataset(str(path), FIELDS, None).load_ranked()


def _released(path: Path) -> object:
    return TunaReleaseDataset(str(path), "auto", 1.0, None).load_ranked()


def _recorded(path: Path) -> object:
    return recorded(path)


PARSERS: dict[str, Parse] = {
    "judge's order": partial(contextual.read_order, count=3),
    "judge's form": partial(contextual.read_verdict, count=3),
    "pair in words": pairwise.read_words,
    "pair's form": pairwise.read_formed,
    "score in words": rubric.read_words,
    "score's form": rubric.read_formed,
    **{f"reply of {wire}": format.read for wire, format in WIRES.items()},
    "JSON lines": _from_file(_ranked, "a.jsonl"),
    "Alpaca": _from_file(lambda p: AlpacaDataset(str(p), "", None).load(), "a.json"),
    "Tuna release": _from_file(_released, "a.json"),
    "recorded answers": _from_file(_recorded, "a.jsonl"),
    "study's pairs": _from_file(lambda p: read_answers([p], KEYS["pairs"], True), "a.csv"),
    "study's lists": _from_file(lambda p: read_answers([p], KEYS["lists"], True), "a.csv"),
    "Super-NI task": lambda text: parse_task("t", text.encode("utf-8", "replace"), "t", 5),
    "LMentry task": lambda text: instructions(
        {next(iter(FILES)): text.encode("utf-8", "replace")}, 5
    ),
    "override": _override,
}

_USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "input_tokens": 1, "output_tokens": 1}
_TURN = {"message": {"content": "a"}, "text": "a", "finish_reason": "stop", "logprobs": None}
# Whole ones of every sort; what is tried are these, cut, joined and changed.
EXAMPLES = [
    "Final order: B > A = C", "Final verdict: A", "Score: 7", "Verdict: tie",
    json.dumps({"task_type": "open", "reference": "", "order": [["A"], ["B", "C"]],
                "marks": {letter: {"accuracy": 1} for letter in "ABC"}}),
    json.dumps({"score": 3, "reason": "x", "verdict": "A"}),
    json.dumps({"choices": [_TURN], "model": "m", "usage": _USAGE,
                "content": [{"type": "text", "text": "a"}], "stop_reason": "end_turn"}),
    json.dumps({"instruction": "a", "input": "", "output": "b", "responses": ["x", "y"],
                "scores": [1, 2]}),
    json.dumps([{"instruction": "a", "input": "", "output": "b"}]),
    json.dumps({"study": KEYS["pairs"].digest, "rater": "r", "seat": 1,
                "answers": [{"item": "a", "places": [1, 2]}]}),
    *(f"study,seat,item,verdict,place_1,place_2\n{k.digest},1,a,1,1,2\n" for k in KEYS.values()),
    json.dumps({"Definition": ["d"], "Categories": ["c"], "Positive Examples": [],
                "Instances": [{"id": "1", "input": "i", "output": ["o"]}]}),
    json.dumps({"settings": {"name": next(iter(FILES)), "num_examples_per_template": 1},
                "examples": {"1": {"input": "x", "metadata": {"template_id": 0}}}}),
    "seed=1", "method=sft", "dataset.count=3", "+a.b={c: [1, 2]}", "~logger", "evaluation=[a,b]",
]  # fmt: skip
_ODD = st.sampled_from(
    ["1e999", "NaN", "-1", "²", "null", "{}", "[]", '"', "\\", "\0", "\ud800", "9" * 5000,
     "[" * 100_000, '{"a":' * 5000, "\n", ",", ";", "'", "${a}", "a" * 140_000, ">" * 9, "\u2028"]
)  # fmt: skip


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Return a whole example with pieces of it replaced, or any text."""
    text = draw(st.sampled_from(EXAMPLES) | st.text() | _json())
    for _ in range(draw(st.integers(0, 3))):
        begin = draw(st.integers(0, len(text)))
        end = draw(st.integers(begin, min(len(text), begin + 12)))
        text = text[:begin] + draw(_ODD | st.text(max_size=8)) + text[end:]
    return text


def _json() -> st.SearchStrategy[str]:
    names = st.sampled_from(
        ["choices", "message", "content", "text", "usage", "model", "finish_reason", "logprobs",
         "instruction", "output", "responses", "scores", "order", "marks", "score", "id", "rater",
         "study", "seat", "answers", "item", "places", "Definition", "Instances", "candidates"]
    )  # fmt: skip
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10)
    inner = st.recursive(
        leaves,
        lambda below: st.lists(below, max_size=3) | st.dictionaries(names, below, max_size=6),
    )
    return inner.map(json.dumps)


def tried(parse: Parse, text: str) -> object:
    """Parse; what is told in words is an answer too."""
    try:
        return parse(text)
    except TOLD as told:
        return told
