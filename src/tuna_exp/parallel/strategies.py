"""What our code has to know of Lightning's strategies, and the one that is not taken as it is.

Left out: FSDP's first form, which Lightning refuses on CPUs, so that nothing of it could be tested
without GPUs; FSDP2 does all that it did.
"""

from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.strategies import ModelParallelStrategy


class FSDP2(ModelParallelStrategy):
    """Lightning's, with every device that tensor parallelism leaves in the data-parallel group.

    Lightning's own "auto" makes that group as large as there are nodes: on one, nothing would be
    sharded.
    """

    def setup_environment(self) -> None:
        """Settle the sizes of both groups, then go on as Lightning does."""
        self._tensor_parallel_size = tensor_parallel_size(self)
        if self._data_parallel_size == "auto":
            processes = self.num_nodes * self.num_processes
            self._data_parallel_size = processes // tensor_parallel_size(self)
        super().setup_environment()


def tensor_parallel_size(strategy: Any) -> int:
    """Return how many processes share each layer's weights; 1 without tensor parallelism."""
    size = getattr(strategy, "_tensor_parallel_size", 1)
    return size if isinstance(size, int) else 1


def data_place(trainer: Trainer) -> tuple[int, int]:
    """Return which share of the data this process trains on, and how many shares there are.

    Processes that hold parts of the same layers (tensor parallelism) train on the same data.
    """
    together = tensor_parallel_size(trainer.strategy)
    return trainer.global_rank // together, trainer.world_size // together


def one_device() -> str:
    """Return Lightning's name for the strategy of one device, whichever that is."""
    return "auto"
