"""The released layouts, in small files of the published field names."""

import gzip
import json
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuna_exp.datasets.reading import MalformedError
from tuna_exp.datasets.tuna_release import TunaReleaseDataset, parse_template
from tuna_exp.errors import ConfigError, DataError

HEAD = "Below is an instruction that describes a task{}. Write a response.\n\n### Instruction:\n"
ALONE = HEAD.format("") + "{}\n\n### Response:"
PAIRED = HEAD.format(", paired with an input") + "{}\n\n### Input:\n{}\n\n### Response:"
TRAINING = {
    "instruction": PAIRED.format("Add.", "1, 2"),
    "output": ["4", "3", "2"],
    "score": [-2.5, -0.5, -2.5],
    "id": 12,
}
PROBABILISTIC = {
    "orig": {"instruction": "Add.", "input": "1, 2", "output": "3"},
    "text": ["a", "b", "c", "d"],
    "avg_token_prob": [-1.0, -0.6, -2.0, -0.5],
    "length": [2, 10, 1, 4],
    "logprob": [-2.0, -6.0, -2.0, -2.0],
}
CONTEXTUAL = {
    "prompt": "Rate them.",
    "instruct": ALONE.format("Name a colour."),
    "generation": ["red", "blue", "pink", "red"],
    "id": "c-1",
    "gpt_eval": "... rank: [2, 4, 0, 1]",
    "rank_str": "[2, 4, 0, 1]",
    "rank": [2, 4, 0, 1],
    "response_4": "green",
}


def dataset(
    folder: Path, *rows: object, layout: str = "auto", exponent: float = 1.0
) -> TunaReleaseDataset:
    path = folder / "release.json"
    path.write_text(json.dumps(rows))
    return TunaReleaseDataset(str(path), layout, length_exponent=exponent, limit=None)


def texts(data: TunaReleaseDataset) -> list[list[tuple[str, int]]]:
    return [[(r.text, r.rank) for r in example.responses] for example in data.load_ranked()]


def refusal(data: TunaReleaseDataset) -> str:
    with pytest.raises(DataError) as caught:
        data.load_ranked()
    assert len(str(caught.value).splitlines()) <= 20
    return str(caught.value)


@pytest.mark.parametrize("layout", ["auto", "probabilistic", "contextual"])
def test_training_file_is_parsed_and_ranked(tmp_path, layout):
    data = dataset(tmp_path, TRAINING, layout=layout)
    [instruction] = data.load()
    assert (instruction.id, instruction.instruction, instruction.input) == ("12", "Add.", "1, 2")
    assert instruction.reference == "3"
    assert texts(data) == [[("3", 0), ("4", 1), ("2", 1)]]


@pytest.mark.parametrize(
    ("exponent", "order"), [(0.0, "acdb"), (1.0, "dbac")], ids=["total", "mean"]
)
def test_probabilistic_raw_scores_by_normalised_likelihood(tmp_path, exponent, order):
    """beta 0: -2, -6, -2, -2 (a, c, d tie). beta 1: -2/2=-1, -6/10=-0.6, -2/1=-2, -2/4=-0.5."""
    data = dataset(tmp_path, PROBABILISTIC, exponent=exponent)
    assert "".join(text for text, _ in texts(data)[0]) == order
    assert [rank for _, rank in texts(data)[0]] == ([0, 0, 0, 1] if exponent == 0 else [0, 1, 2, 3])
    assert data.load()[0].reference == "3"


def test_contextual_raw_leaves_out_the_judges_own_response(tmp_path):
    data = dataset(tmp_path, CONTEXTUAL)
    assert texts(data) == [[("pink", 0), ("red", 1), ("blue", 2)]]
    [example] = data.load_ranked()
    assert example.raw == CONTEXTUAL["gpt_eval"]
    assert example.instruction.reference == "pink"


def test_contextual_raw_takes_the_programs_own_key(tmp_path):
    renamed = {("ranks" if key == "rank" else key): value for key, value in CONTEXTUAL.items()}
    assert texts(dataset(tmp_path, renamed)) == [[("pink", 0), ("red", 1), ("blue", 2)]]


def test_record_with_only_the_judges_own_response_is_counted_out(tmp_path, caplog):
    data = dataset(tmp_path, CONTEXTUAL, CONTEXTUAL | {"id": "c-2", "rank": [4]})
    with caplog.at_level(logging.WARNING):
        assert len(data.load_ranked()) == 1
    assert "in 1 of 2 records the judge kept only its own response" in caplog.text
    assert len(data.load()) == 2


@pytest.mark.parametrize("rank", [[], [0, 0], [5], [-1, 0], None])
def test_impossible_orders_are_refused(tmp_path, rank):
    message = refusal(dataset(tmp_path, CONTEXTUAL | {"rank": rank}))
    assert "expected different response numbers from 0 to 4" in message
    assert json.dumps(rank) in message


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (TRAINING | {"score": [1.0]}, "'score': expected 3 entries, one per entry of 'output'"),
        (
            TRAINING | {"score": [1.0, float("nan"), 2]},
            "field 'score[1]': expected a list of finite",
        ),
        (TRAINING | {"instruction": "Add."}, "field 'instruction': expected the Alpaca template"),
        (PROBABILISTIC | {"length": [1, 2, 3]}, "field 'length': expected 4 entries"),
        (
            PROBABILISTIC | {"logprob": [0.5, 0, 0, 0]},
            "field 'logprob[0]': expected a list of finite log",
        ),
        (PROBABILISTIC | {"orig": "Add."}, "field 'orig': expected an object with instruction"),
        (CONTEXTUAL | {"generation": "red"}, "field 'generation': expected a list of at least one"),
    ],
)
def test_misfits_name_the_record(tmp_path, row, told):
    message = refusal(dataset(tmp_path, row))
    assert "release.json line 1 (record 1): " in message
    assert told in message


def test_repeated_ids_are_refused(tmp_path):
    assert "(record 2): field 'id': expected an id" in refusal(
        dataset(tmp_path, TRAINING, TRAINING)
    )


def test_unknown_layouts_and_exponents_are_setting_errors(tmp_path):
    with pytest.raises(ConfigError, match="Did you mean 'probabilistic_raw'"):
        dataset(tmp_path, TRAINING, layout="probabilistic-raw").load()
    for exponent in (-1.0, float("inf")):
        with pytest.raises(ConfigError, match="length_exponent"):
            dataset(tmp_path, TRAINING, exponent=exponent).load()


def test_auto_says_what_it_looked_for(tmp_path):
    message = refusal(dataset(tmp_path, {"instruction": "Add.", "output": "3"}))
    assert "looks for a field orig, generation, score" in message
    assert '["instruction", "output"]' in message


def test_json_lines_packed_read_the_same(tmp_path):
    path = tmp_path / "lines"
    path.write_bytes(gzip.compress((json.dumps(TRAINING) + "\n").encode()))
    packed = TunaReleaseDataset(str(path), "auto", length_exponent=1.0, limit=1)
    assert packed.load() == dataset(tmp_path, TRAINING).load()


def test_digest_follows_bytes_and_options(tmp_path):
    plain = dataset(tmp_path, PROBABILISTIC)
    assert plain.digest() == dataset(tmp_path, PROBABILISTIC).digest()
    assert plain.digest() != dataset(tmp_path, PROBABILISTIC, exponent=0.0).digest()


# A text with a heading of the template in it cannot be told from the template itself.
plain_texts = st.text().filter(lambda text: text.strip() and "###" not in text)


@given(instruction=plain_texts, given_input=plain_texts)
def test_any_filled_template_parses_back(instruction, given_input):
    assert parse_template("i", ALONE.format(instruction)) == (instruction, "")
    assert parse_template("i", PAIRED.format(instruction, given_input)) == (
        instruction,
        given_input,
    )


@pytest.mark.parametrize(
    "text",
    [
        ALONE.format("Add.").removesuffix("### Response:"),
        ALONE.format(" "),
        HEAD.format(", paired with an input") + "Add.\n\n### Response:",
        "Say: " + ALONE.format("Add."),
    ],
)
def test_other_templates_are_refused(text):
    with pytest.raises(MalformedError, match="expected the Alpaca template"):
        parse_template("instruction", text)
