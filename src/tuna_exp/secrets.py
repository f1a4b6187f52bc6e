"""What looks like a secret, told by its name: such a value must not reach any file of a run.

Values are not looked at: a key that slipped into a prompt cannot be told from text.
"""

import re

_SECRET = re.compile(
    r"(.*_)?(api_?key|secret|secret_key|access_key|private_key|password|passwd|credentials?)"
    r"|((.*_)?(access|auth|api|bearer|hf|hub|huggingface|wandb|openai|anthropic)_)?token"
)
CURE = "put it into an environment variable that the client reads (OPENAI_API_KEY, HF_TOKEN, ...)"


def is_secret(name: str) -> bool:
    """Whether a setting of this name (the last part of a dotted path) is likely to be a secret."""
    return _SECRET.fullmatch(name.lower().replace("-", "_")) is not None
