"""The display's arithmetic, its plain lines and its manners beside logging."""

import io
import logging
import sys
import time

import pytest
from rich.console import Console

from tuna_exp import progress
from tuna_exp.progress import Display, QuietDisplay, StepBar, spoken_time


class Clock:
    """A clock that stands until it is moved."""

    now = 0.0

    def monotonic(self) -> float:
        """Its time."""
        return self.now

    def strftime(self, form: str) -> str:
        """No time of day."""
        return "noon"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def plain() -> tuple[Display, io.StringIO]:
    """A display that writes lines to a text."""
    text = io.StringIO()
    return Display(Console(file=text)), text


@pytest.mark.parametrize(
    ("seconds", "spoken"),
    [(8.4, "8 s"), (185, "3 min 05 s"), (7800, "2 h 10 min"), (3 * 86400 + 14400, "3 d 4 h")],
)
def test_spoken_time(seconds: float, spoken: str) -> None:
    assert spoken_time(seconds) == spoken


def test_time_left_counts_work_not_steps(clock: Clock) -> None:
    """10 of 100 work took 5 s; half of the next 40 took 15 s: 30 in 20 s, 70 left: 46.67 s."""
    display = QuietDisplay()
    display.plan([], work=100.0, steps=3)
    with display.step("a", 10.0):
        clock.now += 5
    with display.step("b", 40.0) as bar:
        bar.start(8, "parts")
        bar.advance(4)
        clock.now += 15
        assert display.seconds_left == pytest.approx(70 * 20 / 30)


def test_what_a_killed_run_had_done_is_not_speed(clock: Clock) -> None:
    """From 50 to 60 of 100 in 10 s: 1 a second, 40 s left."""
    display = QuietDisplay()
    display.plan([], work=100.0, steps=1)
    with display.step("a", 100.0) as bar:
        bar.start(100, "parts", done=50)
        bar.advance(10)
        clock.now += 10
        assert display.seconds_left == pytest.approx(40.0)
        assert isinstance(bar, StepBar) and bar.rate == pytest.approx(1.0)
        assert bar.numbers == "60/100 parts · 1 parts/s · 40 s left"


def test_nothing_is_promised_before_anything_is_known() -> None:
    display = QuietDisplay()
    display.plan(["old"], work=5.0, steps=1)
    assert display.seconds_left is None


def test_plain_lines_at_start_end_and_every_20_seconds(clock: Clock) -> None:
    """100 s with an advance each second: start, 20, 40, 60, 80, 100 (with the last), end."""
    display, text = plain()
    with display:
        display.plan(["sample"], work=1.0, steps=1)
        with display.step("train [x]", 1.0) as bar:
            bar.start(100, "steps")
            for _ in range(100):
                clock.now += 1
                bar.advance()
    lines = text.getvalue().splitlines()
    assert lines[0] == "[1/2] sample: reused" and "\x1b" not in text.getvalue()
    assert lines[1] == "[2/2] train [x]: started at noon"
    assert lines[2] == "[2/2] train [x]: 20/100 steps · 1 steps/s · 1 min 20 s left"
    assert lines[-1].startswith("[2/2] train [x]: done in 1 min 40 s") and len(lines) == 8


def test_force_colour_does_not_make_a_pipe_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    display, text = plain()
    with display:
        display.plan(["sample"], 0.0, 0)
    assert text.getvalue() == "[1/1] sample: reused\n"


def test_a_step_that_raises_is_not_called_done() -> None:
    display, text = plain()
    display.plan([], 1.0, 1)
    with pytest.raises(ZeroDivisionError), display.step("train", 1.0):
        raise ZeroDivisionError
    assert "train: stopped after" in text.getvalue() and "done" not in text.getvalue()


def test_live_display_keeps_logging_whole_and_gives_handlers_back() -> None:
    text = io.StringIO()
    handler = logging.StreamHandler(sys.stderr)
    logger = logging.getLogger("somebody")
    logger.addHandler(handler)
    with Display(Console(file=text, force_terminal=True, width=120), live=True) as display:
        display.plan(["sample"], 1.0, 1)
        with display.step("train", 1.0) as bar:
            bar.start(10, "steps")
            bar.advance(5)
            bar.say("loss 1.23")
            logger.warning("a warning")
            print("a print", file=sys.stderr)  # noqa: T201
            time.sleep(0.6)
    assert logger.handlers == [handler]
    logger.removeHandler(handler)
    for words in ("a warning", "a print", "step 2 of 2", "5/10 steps", "loss 1.23"):
        assert words in text.getvalue()
