"""How far a plan is: one live display on a terminal, plain lines anywhere else.

The effort left is in the steps' `work`; the time left is the effort left over the effort per
second that this process has shown so far. What a killed run had done is not counted as speed.
Bars of libraries are left out: this is the only one.
"""

import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.logging import RichHandler
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

_SECONDS_BETWEEN_LINES = 20.0


class Bar(Protocol):
    """The progress of one step, as the step sees it."""

    def start(self, total: int, unit: str, done: int = 0) -> None:
        """Say how much there is; `done` of it was finished by an earlier attempt."""

    def advance(self, n: int = 1) -> None:
        """`n` more are done."""

    def say(self, text: str) -> None:
        """A short status behind the numbers, such as "loss 1.23"."""


class NoBar:
    """The bar of work that is nobody's step."""

    def start(self, total: int, unit: str, done: int = 0) -> None:
        """Show nothing."""

    def advance(self, n: int = 1) -> None:
        """Show nothing."""

    def say(self, text: str) -> None:
        """Show nothing."""


# What is asked of a service happens deep inside a stage's parts, none of which has to know of it.
_CURRENT: ContextVar[Bar] = ContextVar("bar")


def current_bar() -> Bar:
    """Return the bar of the step that is running."""
    return _CURRENT.get(NoBar())


def spoken_time(seconds: float) -> str:
    """Seconds as people say them: "8 s", "3 min 05 s", "2 h 10 min", "3 d 4 h"."""
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    days, h = divmod(hours, 24)
    if days:
        return f"{days} d {h} h"
    if hours:
        return f"{hours} h {m:02d} min"
    return f"{minutes} min {s:02d} s" if minutes else f"{s} s"


class StepBar:
    """A `Bar` that keeps the numbers and calls `changed` after each change."""

    def __init__(self, label: str, work: float, changed: Callable[[], None]) -> None:
        self.label = label
        self.work = work
        self.total, self.done, self.unit, self.text = 0, 0, "", ""
        self._changed = changed
        self._began = time.monotonic()
        self._phase_began, self._phase_from = self._began, 0

    def start(self, total: int, unit: str, done: int = 0) -> None:
        """Begin counting; a later call begins another phase of the same step."""
        self.total, self.unit, self.done = total, unit, done
        self._phase_began, self._phase_from = time.monotonic(), done
        self._changed()

    def advance(self, n: int = 1) -> None:
        """Count `n` more."""
        self.done += n
        self._changed()

    def say(self, text: str) -> None:
        """Show a short status; it is redrawn, not kept."""
        self.text = text
        self._changed()

    @property
    def seconds(self) -> float:
        """Time since the step began in this process."""
        return time.monotonic() - self._began

    @property
    def fraction(self) -> float:
        """How much of the phase is done, in [0, 1]."""
        return min(self.done / self.total, 1.0) if self.total > 0 else 0.0

    @property
    def fraction_here(self) -> float:
        """How much of the phase this process has done itself, in [0, 1]."""
        return max(self.fraction - self._phase_from / self.total, 0.0) if self.total > 0 else 0.0

    @property
    def rate(self) -> float:
        """Units per second in this phase and process."""
        spent = time.monotonic() - self._phase_began
        return (self.done - self._phase_from) / spent if spent > 0 else 0.0

    @property
    def numbers(self) -> str:
        """Done, total, rate, time left and status in one line; "" before `start`."""
        parts = [f"{self.done:,}/{self.total:,} {self.unit}"] if self.total > 0 else []
        if parts and self.rate > 0:
            speed = f"{self.rate:,.0f}" if self.rate >= 10 else f"{self.rate:.2g}"
            left = max(self.total - self.done, 0) / self.rate
            parts += [f"{speed} {self.unit}/s", f"{spoken_time(left)} left"]
        return " · ".join([*parts, self.text] if self.text else parts)


class Display:
    """Shows a plan's execution; a context manager for as long as it shows anything.

    `console` defaults to standard error. `live` defaults to whether that is a terminal which can
    be redrawn; otherwise plain lines are written, at most one in 20 s between start and end of
    a step.
    """

    def __init__(self, console: Console | None = None, live: bool | None = None) -> None:
        self.console = console or Console(stderr=True)
        # Not `console.is_terminal`: FORCE_COLOR makes that true in a pipe too.
        redrawn = self.console.file.isatty() and not self.console.is_dumb_terminal
        self._is_live = redrawn if live is None else live
        self._live: Live | None = None
        self._muted: list[tuple[logging.Logger, logging.Handler]] = []
        self._router = RichHandler(console=self.console, show_path=False)
        self._bar: StepBar | None = None
        self._position, self._steps = 0, 0
        self._work, self._work_done, self._seconds = 0.0, 0.0, 0.0
        self._began = self._last_line = time.monotonic()
        self._status = ""

    def __enter__(self) -> Self:
        """Start the live display and route console logging above it."""
        self._began = time.monotonic()
        if self._is_live:
            self._live = Live(
                console=self.console, get_renderable=self._render, refresh_per_second=4
            )
            self._route_logging()
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it, the last state stays on the screen."""
        if self._live is not None:
            self._live.stop()
            self._live = None
            self._restore_logging()

    def plan(self, reused: Sequence[str], work: float, steps: int) -> None:
        """Say which steps are `reused` and that `steps` with `work` in all will run."""
        self._position, self._steps = 0, len(reused) + steps
        self._work, self._work_done, self._seconds = work, 0.0, 0.0
        for label in reused:
            self.reused(label, 0.0)

    def reused(self, label: str, work: float) -> None:
        """A step needs not run; `work` of the plan falls away."""
        self._position += 1
        self._work -= work
        self._status = ""
        self._line(f"{label}: reused")

    def waiting(self, label: str, text: str) -> None:
        """A step cannot run yet."""
        self._status = f"{label}: {text}"
        self._line(self._status, ahead=1)

    @contextmanager
    def step(self, label: str, work: float) -> Iterator[Bar]:
        """Show one step while the block runs."""
        self._position += 1
        self._bar = bar = StepBar(label, work, self._tick)
        self._status = ""
        self._line(f"{label}: started at {time.strftime('%H:%M:%S')}")
        outcome = "stopped after"
        token = _CURRENT.set(bar)
        try:
            yield bar
            outcome = "done in"
            self._work_done += work
        finally:
            _CURRENT.reset(token)
            self._seconds += bar.seconds
            self._bar = None
            self._line(" · ".join([f"{label}: {outcome} {spoken_time(bar.seconds)}", self._whole]))

    @property
    def seconds_left(self) -> float | None:
        """Time left for the plan; None while nothing is known about the speed."""
        bar = self._bar
        here = self._work_done + (bar.fraction_here * bar.work if bar else 0.0)
        done = self._work_done + (bar.fraction * bar.work if bar else 0.0)
        spent = self._seconds + (bar.seconds if bar else 0.0)
        return max(self._work - done, 0.0) * spent / here if here > 0 and spent > 0 else None

    @property
    def _whole(self) -> str:
        left = self.seconds_left
        so_far = f"{spoken_time(time.monotonic() - self._began)} so far"
        return f"{so_far}, about {spoken_time(left)} left" if left else so_far

    def _line(self, text: str, ahead: int = 0) -> None:
        self._last_line = time.monotonic()
        line = f"[{self._position + ahead}/{self._steps}] {text}"
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _tick(self) -> None:
        due = time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES
        if self._bar is not None and not self._is_live and due:
            self._line(f"{self._bar.label}: {self._bar.numbers}")

    def _render(self) -> RenderableType:
        if self._steps == 0:
            return Text("")
        bar = self._bar
        done = self._work_done + (bar.fraction * bar.work if bar else 0.0)
        title = bar.label if bar else self._status
        head = f"step {self._position} of {self._steps} · {title}"
        rows = [_row(head, done, self._work, self._whole)]
        if bar is not None:
            rows.append(_row("", bar.done, bar.total, bar.numbers))
        return Group(*rows)

    def _route_logging(self) -> None:
        """Replace handlers that write to the terminal: they would tear the display."""
        terminal = {sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__, self.console.file}
        for logger in [logging.root, *map(logging.getLogger, logging.root.manager.loggerDict)]:
            for handler in list(logger.handlers):
                if isinstance(handler, logging.StreamHandler) and handler.stream in terminal:
                    logger.removeHandler(handler)
                    self._muted.append((logger, handler))
        for logger in dict.fromkeys(logger for logger, _ in self._muted):
            logger.addHandler(self._router)

    def _restore_logging(self) -> None:
        for logger, handler in self._muted:
            logger.removeHandler(self._router)
            logger.addHandler(handler)
        self._muted.clear()


class QuietDisplay(Display):
    """A display that shows nothing, for tests and for use as a library."""

    def __init__(self) -> None:
        super().__init__(Console(quiet=True), live=False)


def _row(head: str, done: float, total: float, tail: str) -> Table:
    row = Table.grid(padding=(0, 1), expand=True)
    row.add_column(width=42, no_wrap=True, overflow="ellipsis")
    row.add_column(ratio=1)
    row.add_column(no_wrap=True)
    # Text: a label may hold brackets, which rich would read as its markup.
    bar = ProgressBar(total=total or None, completed=done, pulse=total <= 0)
    row.add_row(Text(head), bar, Text(tail))
    return row
