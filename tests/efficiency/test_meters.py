"""Memory that was taken is seen; counters that turn over are added up; nothing is made up."""

from pathlib import Path

import pytest
import torch

from tuna_exp.efficiency.meters import Energy, metered, peak_bytes, reset_peak
from tuna_exp.unfinished import METERS, Notebook

MIB = 2**20


@pytest.mark.skipif(torch.cuda.is_available(), reason="counts the GPU's memory there")
def test_what_was_taken_is_in_the_peak() -> None:
    """256 MiB taken and given back."""
    reset_peak()
    before = peak_bytes()
    taken = torch.ones(256 * MIB // 4)
    del taken
    after = peak_bytes()
    assert before is not None and after is not None
    assert after - before >= 200 * MIB


def test_a_counter_that_turned_over_goes_on() -> None:
    """From 90 to 20 of 100 are 30 joules, and 5 more from another."""
    first, second = iter([90.0, 20.0]), iter([1.0, 6.0])
    energy = Energy([(lambda: next(first), 100.0), (lambda: next(second), 100.0)])
    assert energy.stop() == 35.0


def test_a_counter_without_end_that_began_anew_is_not_infinite() -> None:
    """From 90 the driver starts again and shows 4."""
    told = iter([90.0, 4.0])
    assert Energy([(lambda: next(told), float("inf"))]).stop() == 4.0


def test_no_counter_is_not_nothing(tmp_path: Path) -> None:
    assert Energy.of_machine(tmp_path).stop() is None


def test_counters_of_packages_are_found_and_their_parts_left_out(tmp_path: Path) -> None:
    zones = {"intel-rapl:0": "package-0", "intel-rapl:0:0": "core", "intel-rapl:2": "psys"}
    for name, zone in (zones | {"intel-rapl:1": "package-1"}).items():
        energy = {"core": 7, "psys": 50}.get(zone, 5 if name.endswith("0") else 2)
        folder = tmp_path / name
        folder.mkdir()
        (folder / "name").write_text(f"{zone}\n")
        (folder / "energy_uj").write_text(str(energy * 1_000_000))
        (folder / "max_energy_range_uj").write_text("262143328850")
    energy = Energy.of_machine(tmp_path)
    (tmp_path / "intel-rapl:1" / "energy_uj").write_text("9000000")
    assert len(energy.counters) == 2 and energy.stop() == pytest.approx(7.0)


def test_attempts_are_added_up_and_killed_ones_told(tmp_path: Path) -> None:
    """One attempt ends with an error, one is killed and notes nothing, one ends well."""
    notebook = Notebook(tmp_path)
    with pytest.raises(ZeroDivisionError), notebook.attempt(), metered(tmp_path):
        raise ZeroDivisionError
    with notebook.attempt():
        pass
    with notebook.attempt(), metered(tmp_path):
        pass
    found = notebook.facts()[METERS]
    assert (found["attempts"], found["attempts_without"]) == (2, 1)
    assert found["peak_memory_bytes"] > MIB and found["joules"] is None
