"""Three small tasks in the harness's YAML form on local files, and one that must not run."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

# Not a skip: raised while a conftest is read, it would end the whole test run.
collect_ignore_glob = [] if find_spec("lm_eval") else ["test_*.py"]

HEAD = """task: {name}
dataset_path: json
dataset_kwargs:
  data_files: {{test: {data}}}
test_split: test
metadata: {{version: 2.0}}
"""
CHOICE = """output_type: multiple_choice
fewshot_split: test
doc_to_text: "{{question}}\\nAnswer:"
doc_to_target: answer
doc_to_choice: choices
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_norm, aggregation: mean, higher_is_better: true}
  - {metric: mcc, aggregation: matthews_corrcoef, higher_is_better: true}
"""
GENERATE = """output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{said}}"
generation_kwargs: {until: ["\\n"], max_gen_toks: 6, do_sample: false}
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
    ignore_case: true
filter_list:
  - name: word
    filter: [{function: regex, regex_pattern: "([a-z]+)"}, {function: take_first}]
  - name: whole
    filter: [{function: take_first}]
"""
ROLLING = """output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{text}}"
metric_list:
  - {metric: word_perplexity}
  - {metric: byte_perplexity}
  - {metric: bits_per_byte}
"""
GROUP = """group: own_group
task: [own_choice, own_more]
aggregate_metric_list:
  - {metric: acc, aggregation: mean, weight_by_size: %s}
"""


@pytest.fixture(scope="session")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the tasks and their data: 12, 7, 9 and 5 items."""
    folder = tmp_path_factory.mktemp("tasks")
    parts = {
        "own_choice": (CHOICE, [_choice(i) for i in range(12)]),
        "own_more": (CHOICE, [_choice(i + 50) for i in range(7)]),
        "own_answer": (GENERATE, [{"question": f"Say {i}.", "said": "word"} for i in range(9)]),
        "own_text": (ROLLING, [{"text": "a few words " * (i + 1)} for i in range(5)]),
        "own_code": (GENERATE + "unsafe_code: true\n", [{"question": "Code?", "said": "x"}]),
    }
    for name, (body, rows) in parts.items():
        data = folder / f"{name}.jsonl"
        data.write_text("".join(json.dumps(row) + "\n" for row in rows))
        (folder / f"{name}.yaml").write_text(HEAD.format(name=name, data=data) + body)
    (folder / "own_group.yaml").write_text(GROUP % "true")
    (folder / "own_even.yaml").write_text(GROUP.replace("own_group", "own_even") % "false")
    return folder


def _choice(number: int) -> dict[str, object]:
    choices = [str(number + 1), str(number + 2), "another, much longer answer"]
    return {"question": f"What is {number} + 1?", "choices": choices, "answer": number % 3}
