"""One voice on the screen: our display and our warnings; libraries speak to the log file.

No library is imported only to be quietened.
"""

import logging
import os
import sys

# Read by the libraries when they are imported.
_ENVIRONMENT = {
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TQDM_DISABLE": "1",
    "WANDB_SILENT": "true",
    "WANDB_ERROR_REPORTING": "false",  # its client reports on itself, offline too
}
_CHATTY = (
    "lightning",
    "transformers",
    "wandb",
    "torch",
    "absl",
    "datasets",
    "huggingface_hub",
    "lm_eval",
    "py.warnings",
)


class Screen(logging.Handler):
    """Writes a record's words to standard error, whatever that is when the record comes.

    A stream that is looked up late goes above a live display, which puts itself in its place.
    Of the libraries only errors are shown.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        if record.levelno >= logging.ERROR or not record.name.startswith(_CHATTY):
            sys.stderr.write(f"{record.levelname.lower()}: {record.getMessage()}\n")


def quiet_libraries() -> None:
    """Before any is imported: turn off bars, and send Python's warnings to the log."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    logging.captureWarnings(True)


def quiet_screen() -> None:
    """Show only our warnings and errors where Hydra, which starts no job, sets no logging up."""
    screen = Screen(logging.WARNING)
    logging.basicConfig(handlers=[screen])


def quiet_lightning() -> None:
    """After Lightning was imported: take away the handler that it brings along for its logger."""
    logger = logging.getLogger("lightning")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)


def quiet_tracker(offline: bool) -> None:
    """Make W&B read WANDB_SILENT now: it warns about Lightning's arguments before it does so.

    It reads its mode at the same time, which Lightning's logger would say only later.
    """
    import wandb

    if offline:
        os.environ["WANDB_MODE"] = "offline"
    wandb.setup()
