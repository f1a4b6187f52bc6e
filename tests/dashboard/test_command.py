"""What the dashboard cannot show is told; a page of a real run is written in test_runs."""

import pytest

from tuna_exp.dashboard.command import main as dashboard
from tuna_exp.errors import UserError


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["runs=nowhere"], "nowhere"),
        (["run=x"], "runs="),
        (["wandb=me/it", "out=x"], "out= has no effect"),
    ],
)
def test_what_cannot_be_shown_is_told(arguments: list[str], told: str) -> None:
    with pytest.raises(UserError, match=told):
        dashboard(arguments)
