"""Checkpoints of DeepSpeed, which would run what they name, are looked through first."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.strategies import DeepSpeedStrategy

from tuna_exp.errors import UserError
from tuna_exp.parallel.resharding import readable


class Harm:
    def __reduce__(self) -> Any:
        return (open, ("harm", "w"))


def test_what_could_run_code_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    strategy = DeepSpeedStrategy.__new__(DeepSpeedStrategy)
    file = tmp_path / "step" / "checkpoint" / "states.pt"
    file.parent.mkdir(parents=True)
    torch.save({"weights": torch.zeros(2), "step": 3}, file)
    assert readable(tmp_path / "step", strategy) == tmp_path / "step"
    torch.save({"weights": Harm()}, file)
    with pytest.raises(UserError, match=r"states.pt .*could run code.*io.open\. Cure: delete"):
        readable(tmp_path / "step", strategy)
    file.write_bytes(pickle.dumps(Harm()))
    with pytest.raises(UserError, match="could run code"):
        readable(tmp_path / "step", strategy)
    assert not Path("harm").exists()
