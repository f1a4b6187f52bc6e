"""The student: the model that is trained and its prompt format, one value that stages pass on."""

from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tuna_exp.llms.base import Sampler
from tuna_exp.llms.hugging_face import HuggingFaceLLM
from tuna_exp.models.compiling import compile_layers
from tuna_exp.models.loading import load_model, load_tokenizer
from tuna_exp.models.lora import Lora
from tuna_exp.models.prompts import PromptEncoder
from tuna_exp.models.sources import ModelSource


@dataclass(frozen=True)
class Folder:
    """A checkpoint folder as a model source; what is in it is decided by the step that made it."""

    path: Path

    def resolve(self) -> Path:
        """Return the folder."""
        return self.path

    def digest(self) -> dict[str, object]:
        """Return nothing: the digest of the step that made the folder stands for it."""
        return {}


@dataclass(frozen=True)
class Student:
    """Where the base weights come from and how the model is prompted, loaded and adapted.

    `dtype` and `attn_implementation` are for training; `sampler` has its own for answering.
    """

    source: ModelSource
    prompt_format: str
    system_prompt: str | None
    dtype: str
    attn_implementation: str
    trust_remote_code: bool
    gradient_checkpointing: bool
    compile: bool
    lora: Lora | None
    sampler: Sampler

    def tokenizer(self, folder: Path) -> PreTrainedTokenizerBase:
        """Load the tokenizer of the base model or of a checkpoint of it."""
        return load_tokenizer(folder, self.trust_remote_code)

    def encoder(self, folder: Path) -> PromptEncoder:
        """Return what turns instructions and responses into tokens."""
        return PromptEncoder(self.tokenizer(folder), self.prompt_format, self.system_prompt)

    def load(self, folder: Path) -> PreTrainedModel:
        """Load the weights for training."""
        model = load_model(folder, self.dtype, self.attn_implementation, self.trust_remote_code)
        if self.gradient_checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        return model

    def compiled(self, model: PreTrainedModel) -> None:
        """Compile the layers of a model that is ready for training, where that is asked for."""
        if self.compile:
            compile_layers(model)

    def adapted(self, model: PreTrainedModel) -> PreTrainedModel:
        """Return the model with low-rank adapters, or the model itself for full fine-tuning."""
        return self.lora.apply(model) if self.lora else model

    def llm(self, folder: Path | None = None) -> HuggingFaceLLM:
        """Return a checkpoint of the student, or its base model, as an LLM that answers."""
        return HuggingFaceLLM(
            source=Folder(folder) if folder else self.source,
            prompt_format=self.prompt_format,
            system_prompt=self.system_prompt,
            examples=(),
            trust_remote_code=self.trust_remote_code,
            sampler=self.sampler,
        )

    def prompting(self) -> dict[str, object]:
        """Return what decides a checkpoint's answers besides its weights."""
        return {
            "prompt_format": self.prompt_format,
            "system_prompt": self.system_prompt,
            "sampler": self.sampler.digest(),
        }

    def digest(self) -> dict[str, object]:
        """Return what decides a training run's result, besides its data and objective."""
        return {
            "source": self.source.digest(),
            "prompt_format": self.prompt_format,
            "system_prompt": self.system_prompt,
            "dtype": self.dtype,
            "lora": vars(self.lora) if self.lora else None,
        }
