"""What the harness logged of one item, in our records."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tuna_exp.errors import UserError
from tuna_exp.records import Prediction, Record


class Sample(Record):
    """One item with all that the harness's figures are made from.

    `metrics` are the item's values by the harness's own names ("acc", "exact_match,strict-match"):
    numbers, or what an aggregation makes a number of, such as a log-likelihood (nats) and a count
    of words. `responses` is what the model said to each of the item's requests: texts, or
    log-likelihoods. `usd` is what a service took for them.
    """

    prediction: Prediction
    metrics: dict[str, Any]
    responses: tuple[Any, ...] = ()
    usd: float = 0.0


def metric_key(metric: str, harness_filter: str) -> str:
    """Return the name of a metric as the harness's tables have it, without an empty filter."""
    return metric if harness_filter == "none" else f"{metric},{harness_filter}"


def plain(value: Any, name: str) -> Any:
    """Return a value as JSON has it: NumPy's numbers as ours, tuples as lists, NaN as None.

    Raises UserError for what JSON has no form of.
    """
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "ndim", None) == 0:
        value = item()
    elif hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float) and math.isnan(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(one, name) for key, one in value.items()}
    if isinstance(value, Sequence | set):
        return [plain(one, name) for one in value]
    raise UserError(
        f"{name} is {value!r:.80} ({type(value).__name__}), which cannot be stored; allowed are "
        "numbers, texts, lists and mappings of these. Cure: correct the task's process_results."
    )
