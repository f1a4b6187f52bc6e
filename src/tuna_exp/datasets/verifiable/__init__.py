"""Short word, letter, number, list and sentence tasks whose answers a rule can mark.

Two halves: `generate` writes instructions from a seed, `verify` marks a response to one of them.
World knowledge is left out on purpose: a response is judged by its form and by small word lists.
"""

from tuna_exp.datasets.verifiable.dataset import VerifiableDataset, generate, verify
from tuna_exp.datasets.verifiable.verdict import PASS_SCORE, Verdict

__all__ = ["PASS_SCORE", "Verdict", "VerifiableDataset", "generate", "verify"]
