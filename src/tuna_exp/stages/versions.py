"""The version of each stage's code, a part of every artifact's digest.

Raised when a stage's code changes what it writes: older artifacts are then not taken for new.
"""

VERSIONS = {
    "sample": 3,
    "rank": 4,
    "mix": 1,
    "tokenise": 1,
    "train": 3,
    "proxy": 1,
    "evaluate": 2,
    "judge": 1,
    "figures": 2,
    "compare": 10,
}
