"""Failures that are the user's to mend: one screen, no traceback, and the cure in the message."""

import difflib
import errno
from collections.abc import Iterable

# What a refused allocation is called by torch on a GPU, by torch on a CPU, by NumPy and by C++.
_NO_MEMORY = ("out of memory", "can't allocate memory", "Unable to allocate", "bad_alloc")


class UserError(Exception):
    """Something outside the code is wrong: a setting, a file, a record.

    The message names the thing, its value, what is allowed and the cure. The command line prints
    the message alone and exits with 2.
    """


class DataError(UserError):
    """A dataset cannot be used as it is: names the file, the line and the field."""


class ConfigError(UserError):
    """A setting has a value that cannot work, seen before a model is loaded."""


class ContextError(ConfigError):
    """A prompt, with the answer to come, is longer than a model's context."""


class PrunedError(UserError):
    """A search gave a job up: at the same step most of the others were better."""


class RefusalError(UserError):
    """Too large a share of a model's answers could not be used; the raw answers are kept."""


def in_short(error: object, most: int = 300) -> str:
    """Return what a library's error says, on one line and of at most so many characters."""
    return " ".join(str(error).split())[:most]


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there is no memory left."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _NO_MEMORY)


def nearest(name: str, allowed: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the nearest allowed name, or "" where nothing is near."""
    found = difflib.get_close_matches(name, list(allowed), n=1, cutoff=0.5)
    return f" Did you mean '{found[0]}'?" if found else ""


class Terminated(KeyboardInterrupt):
    """The process was told to end (SIGTERM). What was running is saved; nothing more is begun."""
