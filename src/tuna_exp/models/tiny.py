"""A random Llama of some 100,000 parameters with its own tokenizer, made offline in a second.

For tests, dry runs and continuous integration: it follows every code path of a real chat model and
knows nothing. Its tokenizer learns its merges from the short text below.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tuna_exp.errors import ConfigError
from tuna_exp.models.sources import build_folder, cache_root

if TYPE_CHECKING:
    from tokenizers import Tokenizer

VERSION = 1
SPECIAL_TOKENS = ("<|im_start|>", "<|im_end|>", "<|pad|>")
_SMALLEST_VOCABULARY = 256 + len(SPECIAL_TOKENS)
_MAX_POSITIONS = 4096
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_TEXT = (
    "Below is an instruction that describes a task. Write a short answer and nothing else.",
    "What is the capital of France? The capital of France is Paris, a city on the river Seine.",
    "List three primary colours. Red, yellow and blue are the three primary colours.",
    "Sort these words by their first letter: pear, apple, orange. They are apple, orange, pear.",
    "How many letters are in the word banana? There are six letters in the word banana.",
    "Explain why the sky looks blue. Air scatters short waves of light more than long ones.",
    "Translate the sentence into English, then give the response that a careful person would.",
    "Add the numbers 12 and 30. The sum of the numbers is 42, which is more than either of them.",
    "Which of the following responses is better, and which is worse? Rank them from best to worst.",
    "system user assistant: you are a helpful assistant; the user asks, the assistant answers.",
)


class TinyModel:
    """A random Llama; equal parameters give equal weights on every machine.

    `heads` must divide `hidden_size` into even parts. `vocabulary_size` is at least 259 (the bytes
    and the special tokens); the tokenizer stops short of it once it runs out of merges.
    """

    def __init__(
        self,
        seed: int = 0,
        hidden_size: int = 64,
        layers: int = 2,
        heads: int = 4,
        vocabulary_size: int = 512,
    ) -> None:
        self.seed = seed
        self.hidden_size = hidden_size
        self.layers = layers
        self.heads = heads
        self.vocabulary_size = vocabulary_size

    def resolve(self) -> Path:
        """Folder of the model, made at the first call. Raises ConfigError for wrong sizes."""
        self._check()
        name = "-".join(f"{key}{value}" for key, value in self._parameters().items())
        return build_folder(cache_root() / f"tiny-v{VERSION}-{name}", self._write)

    def digest(self) -> dict[str, object]:
        """The parameters and the version of this module's recipe."""
        return {"tiny": VERSION, **self._parameters()}

    def _parameters(self) -> Mapping[str, int]:
        return {
            "seed": self.seed,
            "hidden": self.hidden_size,
            "layers": self.layers,
            "heads": self.heads,
            "vocabulary": self.vocabulary_size,
        }

    def _check(self) -> None:
        if self.heads < 1 or self.layers < 1 or self.hidden_size % (2 * self.heads) != 0:
            raise ConfigError(
                f"tiny model: hidden_size={self.hidden_size}, heads={self.heads}, "
                f"layers={self.layers}; heads and layers must be positive and hidden_size a "
                "multiple of 2 * heads. Cure: e.g. hidden_size=64 heads=4 layers=2."
            )
        if self.vocabulary_size < _SMALLEST_VOCABULARY:
            raise ConfigError(
                f"tiny model: vocabulary_size={self.vocabulary_size} is below "
                f"{_SMALLEST_VOCABULARY} (256 bytes and the special tokens). Cure: e.g. 512."
            )

    def _write(self, folder: Path) -> None:
        import torch
        from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

        start, end, pad = SPECIAL_TOKENS
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=_train_tokenizer(self.vocabulary_size),
            bos_token=start,
            eos_token=end,
            pad_token=pad,
            chat_template=CHAT_TEMPLATE,
            model_max_length=_MAX_POSITIONS,
        )
        config = LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=self.hidden_size,
            intermediate_size=3 * self.hidden_size,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.heads // 2 if self.heads % 2 == 0 else self.heads,
            max_position_embeddings=_MAX_POSITIONS,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            model = LlamaForCausalLM(config)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def _train_tokenizer(vocabulary_size: int) -> "Tokenizer":
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_TEXT, trainer)
    return tokenizer
