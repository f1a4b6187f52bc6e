"""The command's words for what goes wrong: one screen, a status, and nothing left behind.

The command runs in this process where it can; what it imports is seen in processes of their own.
"""

import errno
import gzip
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import Command
from tuna_exp import cli, experiment
from tuna_exp.config_types import groups_of

GOOD = '{"instruction": "a", "output": "b", "input": ""}\n'


def left_behind(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


BAD = {
    # Groups, options and keys.
    "model=tny": "model=tny: no such option. Did you mean 'tiny'?",
    "experiment=demmo": "Did you mean 'demo'",
    "method=[sft,tuna_x]": "method=tuna_x: no such option. Did you mean 'tuna",
    "modle=tiny": "'modle' is not a key or a group. Did you mean 'model'?",
    "dataset.cuont=3": "Did you mean 'dataset.count'?",
    "sampling.decoding.tempreature=1": "Did you mean 'sampling.decoding.temperature'?",
    "objective.mle_onn=best": "Did you mean 'objective.mle_on'?",
    "top_p=0.5": r"Did you mean '(sampling|ranker).decoding.top_p'",
    "foo.bar=3": r"'foo.bar' is not a key or a group. Groups: account, batching.*\+foo.bar=",
    "lora.rank=3": "is a key of lora=lora, which is not chosen. Cure: choose it",
    "+dataset.count=3": "there is such a key already. Cure: leave out the +",
    "evaluation=vicuna evaluation.vicuna.reference.where={model_id:x}": (
        r"'evaluation.vicuna.reference.where' takes no name that it does not hold .nothing yet. "
        r"without a \+. Cure: \+evaluation.vicuna.reference.where.NAME=VALUE"
    ),
    "+model=tiny": "chosen already. Cure: leave out the +",
    "+seeed=3": "seeed is not a setting of anything. Did you mean 'seed'?",
    "+dataset.cuont=3": "is not a setting of tuna_exp.datasets.* Did you mean 'count'?",
    "sampling_of_teacher.top_k=3": r"Cure: .*\+sampling@sampling_of_teacher=OPTION",
    "ranker@extra_rankers.x=random": r"put a \+ in front",
    "~logger": "cannot be left out. Cure: logger=none",
    # Overrides that cannot be read.
    "seed=[1,": r"'seed=\[1,' cannot be read as KEY=VALUE",
    "seed==3": "cannot be read",
    "model.system_prompt=what's": "quote a text",
    "seed=1,2": "has several values. Cure: -m runs each",
    "dataset=null": "expected an option",
    "seed=${nowhere}": "seed=.*nowhere.* not found",
    # Words that are no overrides.
    "comprae": "neither a command nor KEY=VALUE. Did you mean 'compare'?",
    "seed=1 compare": "the command compare must be the first word",
    "--foo": "unrecognized arguments: --foo",
    "--multirun --cfg job": "only one works at a time",
    "--config-dir nowhere": "there is no such folder",
    "--config-name nowhere": "Cannot find primary config 'nowhere'",
    "compare": "it takes runs=FOLDER",
    "compare runs=": "it takes runs=FOLDER",
    "compare runs=nowhere": "runs=nowhere: there is no such folder",
    "compare runs=.": "no finished run below",
    "compare wandb=us": "wandb=us names no project of W&B",
    "compare wandb=us/tuna runs=.": "or wandb=ENTITY/PROJECT",
    "compare runs=. artifcats=x": "out=FOLDER and artifacts=FOLDER, each once",
    "artifacts": "required: command",
    "artifacts lst": "invalid choice: 'lst'",
    "artifacts explain 12": "artifact '12' is not in the store",
    "study": "required: command",
    "study export x.jsonl": "required: --out",
    "study export nowhere --out o": "nowhere cannot be read as a ranking",
    "study import nowhere first_rater.json": "nowhere/key.json is not there",
    # Values that only the data or the machine can tell.
    "dataset=jsonl dataset.path=nowhere.jsonl": "nowhere.jsonl does not exist",
    "teacher.source=nowhere": "teacher.source='nowhere': should be a valid dictionary",
    "teacher.examples=[{instruction:a}]": "should have the key 'reference'",
    "teacher.examples=[{instruction:a,reference:b,foo:c}]": "should not have the key 'foo'",
    "seed=99999999999": "seed=99999999999: should be less than 4294967296",
    "experiment=tiny dataset=jsonl dataset.path=x": "leave it out, with ~dataset.count",
    "dataset.kinds=[list/lst]": "fits no kind.* Did you mean 'list/last'?",
    "hydra.run.dir=/dev/null/x": "Not a directory. Cure: ",
}


def assert_told(err: str, expected: str) -> None:
    """The words are there, on one screen, and nothing of Hydra or Python around them."""
    assert re.search(expected, err, re.DOTALL), err
    assert 0 < len(err.splitlines()) <= 20
    for noise in ("Traceback", "Error executing job", "HYDRA_FULL_ERROR", "hydra.cc"):
        assert noise not in err


@pytest.mark.parametrize("arguments", BAD)
def test_bad_input_is_told_on_one_screen(arguments: str, tuna_exp: Command, tmp_path: Path) -> None:
    began = time.process_time()  # other tests run beside this one
    status, out, err = tuna_exp(*arguments.split())
    assert (status, out) == (2, "") and time.process_time() - began < 5
    assert_told(err, BAD[arguments])
    assert left_behind(tmp_path) == []


def test_all_unusable_values_are_told_at_once(tuna_exp: Command) -> None:
    status, _, err = tuna_exp(
        "seed=x", "max_refused=2", "objective.mle_on=refrence", "batching.on_too_long=trunc",
        "dataset.count=-1", "objective.sft.learning_rate=0", "batching.batch_size=0",
        "sampling.decoding.responses=1", "sampling.decoding.temperature=-1",
        "sampling.decoding.top_p=0", "comparison.baseline=tuna_p", "objective.sft.epochs=1.5",
    )  # fmt: skip
    assert status == 2
    assert_told(err, r"12 setting\(s\) cannot be used")
    assert "objective.mle_on='refrence': should be 'reference', 'best' or 'all'. Did you" in err
    assert "comparison.baseline=tuna_p: should be one of the methods base, sft, tuna." in err


def test_all_missing_values_are_told_at_once(tuna_exp: Command) -> None:
    status, _, err = tuna_exp("dataset=jsonl", "model=hub", "seed=x")
    assert status == 2
    assert_told(err, r"3 setting.*dataset.path is required.*model.name is required.*seed='x'")


FILES = {
    "cut.jsonl.gz": (gzip.compress(GOOD.encode() * 100)[:-12], "cut short or damaged"),
    "latin1.jsonl": (GOOD.replace("a", "\xe9").encode("latin1"), "is not UTF-8"),
    "empty.jsonl": (b"", "is empty"),
    "fields.jsonl": (GOOD.encode() + b'{"instruktion": "a"}', "1 records are good.*is missing"),
    "types.jsonl": (GOOD.replace('"a"', "3").encode(), "expected a string.*found 3"),
    "deep.jsonl": (b"[" * 100_000, "nested too deeply.*Cure"),
    "broken.jsonl": (GOOD.encode() + b"{nonsense", "line 2: .*invalid JSON"),
    "unchecked.jsonl": (GOOD.encode(), "ranker=verifier needs instructions with a checker"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_dataset_that_cannot_be_used(name: str, tuna_exp: Command, tmp_path: Path) -> None:
    content, expected = FILES[name]
    Path(name).write_bytes(content)
    ranker = "verifier" if name == "unchecked.jsonl" else "contextual"
    status, _, err = tuna_exp("dataset=jsonl", f"dataset.path={name}", f"ranker={ranker}")
    assert status == 2
    assert_told(err, expected)
    assert left_behind(tmp_path) == [name]


def test_artifacts_that_are_a_file(tuna_exp: Command, tmp_path: Path) -> None:
    Path("taken").write_text("x")
    for place in ("taken", "taken/inside"):
        status, _, err = tuna_exp(f"artifacts={place}")
        assert status == 2
        assert_told(err, f"artifacts={place}: .*taken is a file, expected a folder")
    assert left_behind(tmp_path) == ["taken"]


YAMLS = {
    "a: [1\nb: 2\n": "mine.yaml line 2 column 2: expected ',' or ']'",
    "- a\n": "mine.yaml holds a list",
    "_target_: nowhere.Mine\n": "dataset._target_=nowhere.Mine cannot be imported: No module",
    "_target_: pathlib.Nowhere\n": "cannot be imported: .*no attribute 'Nowhere'",
    "_target_: fractions.Fraction\nnumeratr: 3\n": "Did you mean 'numerator'?",
    "_target_: tuna_exp.llms.base.Sampling\nbatch_size: x\n": "batch_size='x': should be a valid",
    "_target_: x.Y\nclient: {api_key: hunter2}\n": "client.api_key in .*mine.yaml looks like",
}


@pytest.mark.parametrize("content", YAMLS)
def test_an_option_of_the_users_own_that_is_wrong(
    content: str, tuna_exp: Command, tmp_path: Path
) -> None:
    Path("own/dataset").mkdir(parents=True)
    Path("own/dataset/mine.yaml").write_text(content)
    status, _, err = tuna_exp("--config-dir", "own", "dataset=mine", "callbacks=none")
    assert status == 2
    assert_told(err, YAMLS[content])
    assert left_behind(tmp_path) == ["own/dataset/mine.yaml"]


@pytest.mark.parametrize(
    "override",
    ["+api_key=hunter2", "+teacher.hf_token=hunter2", "hydra.job.env_set.X_API_KEY=hunter2"],
)
@pytest.mark.parametrize("flags", [[], ["-m", "seed=0,1"]])
def test_secrets_are_refused_before_anything_is_written(
    override: str, flags: list[str], tuna_exp: Command, tmp_path: Path
) -> None:
    status, out, err = tuna_exp(override, *flags)
    assert status == 2
    assert_told(err, "looks like a secret and would be written to disk.*environment variable")
    assert "hunter2" not in out + err and left_behind(tmp_path) == []


def test_options_and_keys_of_a_users_folder_are_offered(tuna_exp: Command) -> None:
    Path("own/dataset").mkdir(parents=True)
    Path("own/dataset/mine.yaml").write_text("_target_: x.Y\nlength: 3\n")
    said = tuna_exp("-cd", "own", "dataset=mine", "dataset.lenght=3")[2]
    assert_told(said, "Did you mean 'dataset.length'")
    assert_told(
        tuna_exp("-cd", "own", "dataset=mien")[2], "Did you mean 'mine'.*mine, tuna_release"
    )


def test_a_fault_of_ours_is_told_in_words_with_the_rest_in_a_file(
    tuna_exp: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(experiment, "check_config", broken)
    status, out, err = tuna_exp("model=tiny")
    assert (status, out) == (1, "")
    assert_told(err, "a fault of tuna_exp: ZeroDivisionError: division by zero.*tuna-exp-error.log")
    assert "in broken" in Path("tuna-exp-error.log").read_text()


def test_bad_jobs_of_a_sweep_are_told_at_the_end(tuna_exp: Command, tmp_path: Path) -> None:
    status, _, err = tuna_exp("-m", "seed=x,-1", "hydra.sweep.dir=sweep")
    assert status == 2
    assert_told(err, r"2 job\(s\) of the sweep have no result.*job 0 \(seed=x\).*job 1 \(seed=-1\)")
    assert "again: tuna-exp seed=-1 hydra.run.dir=sweep/1\n" in err
    files = [f"sweep/{n}/{name}.json" for n in (0, 1) for name in ("failure", "job")]
    assert sorted(left_behind(tmp_path)) == [*files, "sweep/multirun.yaml", "sweep/sweep.json"]


def test_help_shows_all_groups(tuna_exp: Command) -> None:
    status, out, err = tuna_exp("--help")
    groups = groups_of(cli.SETTINGS)
    assert (status, err) == (0, "") and all(f"\n{group}: " in out for group in groups)
    assert tuna_exp("compare", "--help")[1].startswith("usage: tuna-exp compare runs=")


LIGHT = """
import sys
from tuna_exp.cli import main
for line in sys.stdin.read().splitlines():
    sys.argv = ["tuna-exp", *line.split()]
    try:
        main()
    except SystemExit as stopped:
        heavy = {"torch", "transformers", "lightning", "wandb", "altair", "scipy"}
        print("status", stopped.code, sorted(heavy & set(sys.modules)))
"""


def test_help_and_bad_input_import_nothing_heavy(tmp_path: Path) -> None:
    lines = ["--help", "model=tny", "seed=x", "dataset.cuont=3", "compare runs=nowhere"]
    lines += ["dataset=jsonl dataset.path=nowhere", "artifacts list"]
    lines += ["evaluate model=tny", "evaluate subject=x", "evaluate --help"]
    lines += ["study export nowhere --out o", "study import nowhere first_rater.json"]
    done = subprocess.run(
        [sys.executable, "-c", LIGHT], input="\n".join(lines), capture_output=True, text=True,
        cwd=tmp_path, timeout=60,
    )  # fmt: skip
    told = [line for line in done.stdout.splitlines() if line.startswith("status")]
    assert told == [f"status {code} []" for code in (0, 2, 2, 2, 2, 2, 0, 2, 2, 0, 2, 2)], done


def test_the_module_is_the_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tuna_exp", "model=tny"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert_told(done.stderr, "Did you mean 'tiny'")


def test_ctrl_c_is_told_in_words(tmp_path: Path) -> None:
    """Once the first step has started, whatever it is doing."""
    command = [
        sys.executable,
        "-m",
        "tuna_exp",
        "experiment=tiny",
        "evaluation.verifiable.count=2000",
    ]
    child = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path,
        env={**os.environ, "TUNA_EXP_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"},
        # A shell ignores interrupts for what it runs in the background, and so would the child.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert child.stderr is not None and "started" in child.stderr.readline()
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out) == (130, "")
    assert_told(err, "tuna-exp: interrupted; the same command continues")


def test_the_folder_stays_in_which_a_run_that_never_began_was_started(
    tuna_exp: Command, tmp_path: Path
) -> None:
    status, _, err = tuna_exp("hydra.run.dir=run", "comparison.resamples=99")
    assert status == 2 and "resamples" in err
    assert tmp_path.exists() and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 8 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 33792"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
)
def test_no_memory_is_told_in_words_wherever_it_was_refused(error: Exception) -> None:
    message, status = cli.words_of(error, [])
    assert status == 2 and re.search("out of memory: .* Cure: lower batching", message)
