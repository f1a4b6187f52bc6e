"""Low-rank adapters (Hu et al., 2021) through peft; quantised base models are left out."""

from dataclasses import dataclass
from typing import cast

from peft import LoraConfig, get_peft_model
from transformers import PreTrainedModel

from tuna_exp.errors import ConfigError


@dataclass(frozen=True)
class Lora:
    """Adapters of `rank`, scaled by alpha / rank, in front of dropout.

    `target_modules` is a list of module names ("q_proj", ...), a regular expression over full
    names, or "all-linear".
    """

    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.0
    target_modules: list[str] | str = "all-linear"

    def apply(self, model: PreTrainedModel) -> PreTrainedModel:
        """Return the model with fresh adapters, which alone are trained.

        It is a PeftModel, which passes every call and attribute on to the model. Raises ConfigError
        for settings that peft refuses, such as a module that is not there.
        """
        modules = self.target_modules
        try:
            config = LoraConfig(
                task_type="CAUSAL_LM",
                r=self.rank,
                lora_alpha=self.alpha,  # type: ignore[arg-type]
                lora_dropout=self.dropout,
                target_modules=modules if isinstance(modules, str) else list(modules),
            )
            return cast(PreTrainedModel, get_peft_model(model, config))
        except ValueError as failure:
            raise ConfigError(
                f"lora: rank={self.rank} alpha={self.alpha} dropout={self.dropout} "
                f"target_modules={modules}: {failure}. Cure: rank above 0, dropout in [0, 1), and "
                "names of linear layers of this model or lora.target_modules=all-linear."
            ) from failure
