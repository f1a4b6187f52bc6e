"""Recorded answers as a teacher."""

import gzip
import json
from pathlib import Path

import pytest

from tuna_exp.errors import ConfigError, DataError
from tuna_exp.llms.decoding import Decoding
from tuna_exp.llms.replay import ReplayLLM
from tuna_exp.records import Candidate, CandidateSet, Instruction, write_records

HOW = Decoding(responses=2, temperature=1.0, top_p=1.0, top_k=0, max_new_tokens=16)
ASKED = Instruction(id="7", instruction="Add.", input="1 2")


def test_an_artifacts_candidates_are_found_by_words(tmp_path: Path) -> None:
    recorded = ASKED.model_copy(update={"id": "another"})
    answers = tuple(Candidate(text=t, token_logprobs=(-1.0,)) for t in ("3", "three", "12"))
    write_records(tmp_path / "c.jsonl", [CandidateSet(instruction=recorded, candidates=answers)])
    llm = ReplayLLM(str(tmp_path / "c.jsonl"))
    assert llm.open().answer([ASKED], HOW, 0) == [list(answers[:2])]
    assert llm.unpaid([ASKED], HOW, 0) == [] and llm.usd(1, 1) == 0


def test_json_lines_of_texts_packed(tmp_path: Path) -> None:
    lines = [{"instruction": "Add.", "input": "1 2",
              "responses": ["3", {"text": "4", "token_logprobs": [-1.0, -2.0]}]}]  # fmt: skip
    path = tmp_path / "r.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, lines)).encode()))
    three, four = ReplayLLM(str(path)).open().answer([ASKED], HOW, 0)[0]
    assert (three.text, four.text, four.tokens) == ("3", "4", 2)


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text('{"instruction": "Other.", "responses": ["x"]}\n')
    with pytest.raises(DataError, match="has 0 answers to '7'"):
        ReplayLLM(str(tmp_path / "r.jsonl")).open().prompt_length(ASKED, 0)
    with pytest.raises(ConfigError, match="no such file"):
        ReplayLLM(str(tmp_path / "none.jsonl")).check()
    (tmp_path / "bad.jsonl").write_text('{"instruction": "x"}\n')
    with pytest.raises(DataError, match=r"bad.jsonl:1: no recorded answers"):
        ReplayLLM(str(tmp_path / "bad.jsonl")).open()
