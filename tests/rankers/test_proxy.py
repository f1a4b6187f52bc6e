"""The proxy: what it learns from, that it learns it, and that a kill changes nothing."""

from collections.abc import Callable, Sequence
from functools import partial
from math import log
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from safetensors.torch import load_file

from tuna_exp.errors import ConfigError, DataError
from tuna_exp.models.student import Folder
from tuna_exp.objectives.base import Schedule
from tuna_exp.plan import Workspace
from tuna_exp.progress import StepBar
from tuna_exp.rankers import proxy_training
from tuna_exp.rankers.ensemble import EnsembleRanker
from tuna_exp.rankers.proxy import Proxy, ProxyTraining
from tuna_exp.rankers.proxy_training import pairwise_logistic, train_proxy
from tuna_exp.rankers.random import RandomRanker
from tuna_exp.rankers.verifier import VerifierRanker
from tuna_exp.records import CandidateSet, Instruction, RankedExample, write_records
from tuna_exp.stages.checkpoints import commit
from tuna_exp.stages.rank import RANKING
from tuna_exp.stages.train import CHECKPOINT
from tuna_exp.unfinished import Notebook

MakeSet = Callable[..., CandidateSet]
COLOURS = ["red", "blue", "green"]


def proxy(base: Path, share: float = 1.0, epochs: int = 12, max_length: int = 512) -> Proxy:
    trainer = partial(
        lightning.Trainer,
        accelerator="cpu",
        max_epochs=1,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    optimizer = partial(torch.optim.Adam, betas=[0.9, 0.999])
    training = ProxyTraining(
        epochs, 3e-3, 4, optimizer, Schedule("constant", 0), trainer, 60.0, None
    )
    return Proxy(RandomRanker(0), share, Folder(base), max_length, 4, 0, training)


def labelled(colours: Sequence[str] = COLOURS, sets: int = 20) -> list[RankedExample]:
    """The same order of colours everywhere, in other words each time."""
    return [
        RankedExample.from_scores(
            Instruction(id=str(i), instruction=f"Name colour {i}."),
            [f"It is {colour}." for colour in colours],
            [-float(place) for place in range(len(colours))],
        )
        for i in range(sets)
    ]


def work(folder: Path, examples: Sequence[RankedExample], name: str = "work") -> Workspace:
    (folder / "labels").mkdir(exist_ok=True)
    (folder / name).mkdir(exist_ok=True)
    write_records(folder / "labels" / RANKING, examples)
    inputs = {"ranking": folder / "labels"}
    return Workspace(folder / name, inputs, StepBar(name, 1.0, lambda: None))


def weights(made: Workspace) -> dict[str, torch.Tensor]:
    return load_file(made.folder / CHECKPOINT / "model.safetensors")


def test_the_loss_by_hand() -> None:
    """Scores 1, 0, 0 with ranks 0, 1, 1: two pairs of -log sigmoid(1) = log(1 + 1/e). The second
    set has one pair, of -log sigmoid(0) = log 2, and a place without a response.
    """
    scores = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 9.0]])
    ranks = torch.tensor([[0, 1, 1], [1, 0, 0]])
    mask = torch.tensor([[True] * 3, [True, True, False]])
    expected = [log(1 + torch.e**-1), log(2)]
    assert pairwise_logistic(scores, ranks, mask).tolist() == pytest.approx(expected)


def test_an_order_is_learned_and_used(tiny_folder: Path, tmp_path: Path, make_set: MakeSet) -> None:
    """20 sets, a fifth of them held out with 3 pairs each; new instructions are ranked alike."""
    made, recipe = work(tmp_path, labelled()), proxy(tiny_folder)
    train_proxy(recipe, made)
    facts = Notebook(made.folder).facts()
    assert (facts["labelled_sets"], facts["trained_sets"]) == (20, 16)
    assert (facts["held_out_sets"], facts["held_out_pairs"], facts["too_long"]) == (4, 12, 0)
    assert facts["held_out_agreement"] == 1.0
    ranked = recipe.trained(made.folder / CHECKPOINT).rank(
        [make_set(["It is green.", "It is red.", "It is blue."], name="new")]
    )[0]
    assert isinstance(ranked, RankedExample)
    assert [r.text for r in ranked.responses] == [f"It is {colour}." for colour in COLOURS]


def test_a_killed_training_continues_to_the_uninterrupted_one(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after 5 of 8 steps, with a checkpoint after each."""
    examples = labelled()
    recipe = proxy(tiny_folder, epochs=2)
    whole = work(tmp_path, examples, "whole")
    train_proxy(recipe, whole)

    class Kill(lightning.Callback):
        def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
            writing = killed.scratch / "checkpoints" / f"writing-{trainer.global_step}"
            trainer.save_checkpoint(writing)
            commit(writing, writing.with_name(f"step-{trainer.global_step}"))
            if trainer.global_step == 5:
                raise KeyboardInterrupt

    killed = work(tmp_path, examples, "killed")
    with monkeypatch.context() as patch:
        patch.setattr(proxy_training, "ShowProgress", lambda bar: Kill())
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            train_proxy(recipe, killed)
    assert not (killed.folder / CHECKPOINT).exists()
    train_proxy(recipe, killed)
    first, second = weights(whole), weights(killed)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert Notebook(killed.folder).facts() == Notebook(whole.folder).facts()


def test_a_seed_decides_the_result(tiny_folder: Path, tmp_path: Path) -> None:
    made = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        recipe = proxy(tiny_folder, epochs=1)
        recipe.seed = seed
        made.append(work(tmp_path, labelled(), name))
        train_proxy(recipe, made[-1])
    first, again, other = (weights(one)["score.weight"] for one in made)
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_responses_too_long_are_left_out_and_counted(tiny_folder: Path, tmp_path: Path) -> None:
    examples = labelled(["red", "blue", "green " * 200], sets=6)
    made = work(tmp_path, examples)
    train_proxy(proxy(tiny_folder, epochs=1, max_length=100), made)
    facts = Notebook(made.folder).facts()
    assert (facts["too_long"], facts["held_out_pairs"]) == (6, 1)


def test_labels_without_an_order_are_refused(tiny_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="responses of any of 3 labelled sets have an order.*Cure"):
        train_proxy(proxy(tiny_folder), work(tmp_path, labelled(["red"], sets=3)))


def test_few_labels_leave_nothing_to_hold_out(tiny_folder: Path, tmp_path: Path) -> None:
    made = work(tmp_path, labelled(sets=2))
    train_proxy(proxy(tiny_folder, epochs=1), made)
    facts = Notebook(made.folder).facts()
    assert (facts["held_out_pairs"], facts["held_out_agreement"]) == (0, None)


def test_settings_that_cannot_work_are_refused(tiny_folder: Path, make_set: MakeSet) -> None:
    asked = [Instruction(id=str(i), instruction="Do.") for i in range(10)]
    proxy(tiny_folder, share=0.2).check(asked)
    assert [proxy(tiny_folder, share=0.25).labelled(n) for n in (10, 8)] == [3, 2]
    with pytest.raises(ConfigError, match="ranker.share=0.1 of 10 sets labels 1.*Cure"):
        proxy(tiny_folder, share=0.1).check(asked)
    judged = proxy(tiny_folder)
    judged.labels = VerifierRanker()
    with pytest.raises(ConfigError, match="needs instructions with a checker"):
        judged.check(asked)
    with pytest.raises(ConfigError, match="trained.*Cure"):
        judged.rank([make_set(["x", "y"])])
    with pytest.raises(ConfigError, match="members.small is a proxy.*Cure"):
        EnsembleRanker({"small": proxy(tiny_folder)}, {}, "borda").check(asked)
