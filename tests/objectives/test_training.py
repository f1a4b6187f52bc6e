"""Training: what must not depend on how a step is split, laid out or interrupted."""

from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor

from tuna_exp.batching.batch import TokenizedExample
from tuna_exp.batching.layouts import LAYOUTS
from tuna_exp.batching.order import Order, PlannedBatches, ResumableLoader
from tuna_exp.losses.callbacks import DPO, RRHF, ListMLE, NoRanking, RankingLoss, SimPO, SLiC, Tuna
from tuna_exp.models.loading import load_model
from tuna_exp.objectives.base import Schedule
from tuna_exp.objectives.ranking import TunaCModule, Weights
from tuna_exp.objectives.sft import SFTModule

LOSSES: dict[str, RankingLoss] = {
    "paper": Tuna("sum", 0.1, 1.0),
    "release": Tuna("gap_mean", 0.1, 1.0),
    "rrhf": RRHF(1.0),
    "slic": SLiC(1.0, 0.0),
    "listmle": ListMLE(1.0),
    "simpo": SimPO(2.0, 0.5, 1.0),
    "dpo": DPO(0.1),
    "none": NoRanking(1.0),
}


def make_examples() -> list[TokenizedExample]:
    """Eight prompts with two to four responses of different lengths, ties among them."""
    made = []
    for i in range(8):
        responses = tuple(tuple(range(10 + i + k, 13 + i + 2 * k)) for k in range(2 + i % 3))
        ranks = tuple([0, 0, 1, 2][: len(responses)]) if i % 2 else tuple(range(len(responses)))
        made.append(
            TokenizedExample(
                str(i), (5, 6, 7 + i), responses, ranks, (True,) * len(ranks), (-9.0,) * len(ranks)
            )
        )
    return made


def train(
    folder: Path, module: Any, layout: str = "shared_prompt", accumulate: int = 1, **fit: Any
) -> dict[str, Tensor]:
    """Return the trained model's weights, each of its own shape."""
    trainer = L.Trainer(
        accelerator="cpu",
        max_epochs=1,
        accumulate_grad_batches=accumulate,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=folder,
    )
    # Steps of four examples, two epochs: no two steps hold the same examples.
    order = Order(4, accumulate, 1, epochs=2, seed=0)
    examples = make_examples()
    sizes = LAYOUTS[layout].sizes(examples)
    loader = ResumableLoader(PlannedBatches(examples, sizes, order, layout, 0, 0))
    module.total_steps = len(loader) // accumulate
    trainer.fit(module, loader, **fit)
    return {name: value.clone() for name, value in module.model.state_dict().items()}


def ranking_module(folder: Path, loss: RankingLoss) -> TunaCModule:
    model = load_model(folder).double()
    # SGD, because Adam divides tiny differences by themselves.
    optimizer = partial(torch.optim.SGD, lr=0.1)
    return TunaCModule(model, optimizer, Schedule("cosine", 0), "chunked", loss, Weights(1, 1), 1)


@pytest.mark.parametrize("name", LOSSES)
def test_accumulation_equals_the_big_batch(name: str, tiny_folder: Path, tmp_path: Path) -> None:
    """1 x 4 = 2 x 2 = 4 x 1 examples, for four steps, to the last digits of float64."""
    whole = train(tmp_path, ranking_module(tiny_folder, LOSSES[name]))
    for accumulate in (2, 4):
        split = train(tmp_path, ranking_module(tiny_folder, LOSSES[name]), accumulate=accumulate)
        torch.testing.assert_close(split, whole, rtol=1e-9, atol=1e-12)


def test_layouts_train_the_same_model(tiny_folder: Path, tmp_path: Path) -> None:
    shared = train(tmp_path, ranking_module(tiny_folder, LOSSES["paper"]))
    padded = train(tmp_path, ranking_module(tiny_folder, LOSSES["paper"]), layout="padded")
    # Not to the last digit of float64: the model's norms and rotations are computed in float32.
    torch.testing.assert_close(shared, padded, rtol=1e-3, atol=1e-7)


def test_accumulated_sft_equals_the_big_batch(tiny_folder: Path, tmp_path: Path) -> None:
    def module() -> SFTModule:
        return SFTModule(
            load_model(tiny_folder).double(),
            partial(torch.optim.SGD, lr=0.1),
            Schedule("linear", 1),
            "chunked",
        )

    whole, split = train(tmp_path, module()), train(tmp_path, module(), accumulate=4)
    torch.testing.assert_close(split, whole, rtol=1e-9, atol=1e-12)


def test_ranking_is_learned(tiny_folder: Path, tmp_path: Path) -> None:
    """After training on one order, more pairs are in that order than before."""
    module = ranking_module(tiny_folder, LOSSES["paper"])
    logged: list[dict[str, float]] = []
    module.log_dict = lambda values, **_: logged.append({k: float(v) for k, v in values.items()})  # type: ignore[method-assign]
    train(tmp_path, module)
    losses = [row["ranking_loss"] for row in logged if "ranking_loss" in row]
    assert losses[-1] < losses[0]
    assert any("kendall_tau" in row for row in logged)
    assert any("active_hinges/gap_1" in row for row in logged)


class StopAfter(L.Callback):
    """Saves after one step and stops, as a kill would."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        if trainer.global_step == 1 and not trainer.should_stop:
            trainer.save_checkpoint(self.path)
            trainer.should_stop = True


def test_continued_training_is_the_uninterrupted_one(tiny_folder: Path, tmp_path: Path) -> None:
    """Four micro-batches in two steps, stopped after the first and continued: equal in float64."""

    def module() -> TunaCModule:
        made = ranking_module(tiny_folder, LOSSES["paper"])
        made.make_optimizer = partial(torch.optim.Adam, lr=1e-3)
        return made

    whole = train(tmp_path, module(), accumulate=2)
    saved = tmp_path / "last.ckpt"
    stopped = module()
    stopped.configure_callbacks = lambda: [LOSSES["paper"], StopAfter(saved)]  # type: ignore[method-assign]
    train(tmp_path, stopped, accumulate=2)
    continued = train(tmp_path, module(), accumulate=2, ckpt_path=saved)
    torch.testing.assert_close(continued, whole, rtol=0, atol=0)
