"""Serve a GGUF file on this machine with llama.cpp's server; runs in an environment of its own.

    .venv-servers/bin/python tests/services/llama_server.py MODEL.gguf --port N --template FILE

prints `PORT n` once it answers. The settings make it repeatable: float32 caches and no flash
attention (the same seed gives the same text, alone or among others, and the log-probabilities of
the plain model), one thread (more of them spin where the cores are busy), and no truncation of the
distribution unless a request asks for it. Imports nothing of the project: it is not there.
"""

import argparse
import signal
import sys
import threading
from pathlib import Path

import xllamacpp as llama

MODEL_NAME = "smollm2"


def settings(options: argparse.Namespace) -> llama.CommonParams:
    """Return the server's settings."""
    params = llama.CommonParams()
    params.model.path = options.gguf
    params.model_alias = {MODEL_NAME}
    params.offline = True
    params.ui = False
    params.hostnames = ["127.0.0.1"]
    params.port = options.port
    params.n_parallel = options.slots
    params.n_ctx = options.context * options.slots  # the total over all slots
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.cache_type_k = params.cache_type_v = llama.ggml_type.GGML_TYPE_F32
    params.flash_attn_type = llama.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.chat_template = Path(options.template).read_text(encoding="utf-8")
    params.api_keys = [options.key]
    sampling = params.sampling
    sampling.temp, sampling.top_k, sampling.top_p, sampling.min_p = 1.0, 0, 1.0, 0.0
    return params


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("gguf")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--template", required=True, help="file of a Jinja chat template")
    parser.add_argument("--key", required=True)
    parser.add_argument("--slots", type=int, default=4, help="requests at once; the largest n")
    parser.add_argument("--context", type=int, default=2048, help="tokens per slot")
    options = parser.parse_args()
    server = llama.Server(settings(options))  # returns once the model answers
    sys.stdout.write(f"PORT {options.port}\n")
    sys.stdout.flush()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    stop.wait()
    del server


if __name__ == "__main__":
    main()
