"""What has been seen, over epochs and accumulated micro-batches, also after a kill."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuna_exp.batching.order import Order
from tuna_exp.tracking.curves import Seen


@given(st.lists(st.integers(1, 50), min_size=4, max_size=20), st.integers(1, 3), st.integers(1, 2))
def test_a_step_counts_all_before_it(tokens: list[int], epochs: int, accumulate: int) -> None:
    order = Order(batch_size=4, accumulate=accumulate, devices=1, epochs=epochs, seed=0)
    steps = order.steps(len(tokens))
    seen = Seen()
    seen.count(steps, tokens)
    logged: list[dict[str, float]] = []
    module: Any = SimpleNamespace(log_dict=lambda values, batch_size: logged.append(values))
    trainer: Any = SimpleNamespace(accumulate_grad_batches=accumulate)
    for batch in range(accumulate * len(steps)):
        seen.on_train_batch_end(trainer, module, None, None, batch)
    assert logged[-1] == {"examples": epochs * len(tokens), "tokens": epochs * sum(tokens)}
    assert logged[0]["examples"] == len(steps[0])
    # A continued training is told the same plan, and asks from the middle on.
    seen.on_train_batch_end(trainer, module, None, None, batch // 2)
    assert logged[-1] == logged[batch // 2]


def test_tensorboard_has_the_curves(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs the extra tensorboard")
    from lightning.pytorch.loggers import TensorBoardLogger

    logger = TensorBoardLogger(str(tmp_path), name="x")
    logger.log_metrics({"loss": 1.0, "examples": 8.0}, 0)
    logger.finalize("success")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "x" / "version_0")).Reload()
    assert [(e.step, e.value) for e in events.Scalars("examples")] == [(0, 8.0)]


def test_a_logger_that_is_not_installed_is_told_before_the_run() -> None:
    if importlib.util.find_spec("tensorboard") or importlib.util.find_spec("tensorboardX"):
        pytest.skip("tensorboard is installed")
    from tests.test_config import composed
    from tuna_exp.errors import ConfigError
    from tuna_exp.experiment import check_library_parts

    config = composed("model=tiny", "trainer.accelerator=cpu", "logger=tensorboard")
    with pytest.raises(ConfigError, match="logger.tensorboard cannot be made.*tensorboard"):
        check_library_parts(config)
