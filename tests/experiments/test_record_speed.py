"""The README's figures of speed are those that were stored."""

import pytest

from experiments.record import ROOT
from experiments.record_speed import RESULTS, summary
from experiments.speed.results import Report


@pytest.fixture(scope="module")
def stored() -> Report:
    return Report.model_validate_json(RESULTS.read_text(encoding="utf-8"))


def test_the_readme_shows_what_was_measured(stored: Report) -> None:
    assert summary(stored) in (ROOT / "README.md").read_text(encoding="utf-8")


def test_a_form_that_did_not_fit_is_compared_with_its_rows_in_parts(stored: Report) -> None:
    for found in stored.results:
        whole, parts = (found.variant(f, "fp32") for f in ("released", "released+accumulation"))
        for line in summary(stored).splitlines():
            if found.case.words in line and "fp32" in line:
                assert ("two prompts at a time" in line) == (whole is None and parts is not None)
                assert ("less memory" in line) == (whole is not None)
