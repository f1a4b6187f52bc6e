"""What our code has to know of Lightning's strategies, and those that are not taken as they are.

Left out: FSDP's first form, which Lightning refuses on CPUs, so that nothing of it could be tested
without GPUs; FSDP2 does all that it did.
"""

from typing import Any

import torch
from lightning.fabric.utilities.seed import reset_seed
from lightning.pytorch import Trainer
from lightning.pytorch.strategies import DDPStrategy, DeepSpeedStrategy, ModelParallelStrategy


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


class DeepSpeed(DeepSpeedStrategy):
    """Lightning's, on CPUs too, and with any optimizer where the optimizer is offloaded.

    Lightning refuses CPUs, on which DeepSpeed trains as well; so all of it is tested without GPUs.
    DeepSpeed refuses to offload an optimizer of torch's, as its own is faster, unless told not to.
    """

    def _create_default_config(self, *args: Any, **settings: Any) -> dict[str, Any]:
        made: dict[str, Any] = super()._create_default_config(*args, **settings)
        return made | {"zero_force_ds_cpu_optimizer": False}

    def setup_environment(self) -> None:
        """Do as Lightning does for every other strategy.

        Its batches are left as they are: sums of log-probabilities in half precision are off by
        more than they may differ.
        """
        plugin: Any = self.precision_plugin
        plugin.convert_input = _as_it_is
        DDPStrategy.setup_environment(self)

    @property
    def root_device(self) -> torch.device:
        """Lightning's; DeepSpeed wants a number of a CPU, too."""
        device: torch.device = super().root_device
        return torch.device("cpu", 0) if device.type == "cpu" else device

    def setup_distributed(self) -> None:
        """Do as Lightning does, without its check of the numbers of GPUs where there are none."""
        if self.root_device.type == "cuda":
            super().setup_distributed()
            return
        from deepspeed.ops import __compatible_ops__ as compiled

        # gloo does it all. What is faster within a machine takes a compiler, and minutes of it.
        compiled["deepspeed_shm_comm"] = False
        reset_seed()
        self.set_world_ranks()
        self._init_deepspeed_distributed()


def _as_it_is(data: Any) -> Any:
    return data


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
