"""When the processes of a training lose one another: how libraries say so, and our words for it.

A process that ends closes its connections. gloo tells those who wait for it at once; on GPUs the
leader of processes on one machine sees that itself (`watching`), elsewhere their launcher does.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch.distributed as dist

from tuna_exp.errors import UserError, in_short
from tuna_exp.parallel.watching import CONTINUES

# What gloo says of a peer that is gone or silent; not what it says of ours that do not fit.
_GLOO = re.compile(r"gloo/.*(clos|reset|refused|broken|time)", re.IGNORECASE | re.DOTALL)
_MISFIT = "enforce fail"


class LostError(UserError):
    """Another process of the training ended, or fell silent, while it was waited for."""


@contextmanager
def in_contact() -> Iterator[None]:
    """Do what takes the other processes. Raises LostError where one of them is gone."""
    try:
        yield
    except Exception as error:
        if not is_loss(error):
            raise
        raise LostError(
            "another process of the training has ended; its own last words, on the screen or in "
            f"its log, say why. Cure: what they ask for; {CONTINUES}. ({in_short(error, 160)})"
        ) from error


def is_loss(error: BaseException) -> bool:
    """Whether an error says that another process cannot be reached any more."""
    if isinstance(error, dist.DistError):
        return True
    told = str(error)
    return isinstance(error, RuntimeError) and _MISFIT not in told and bool(_GLOO.search(told))
