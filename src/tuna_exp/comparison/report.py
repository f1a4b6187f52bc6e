"""The comparison as one HTML file that works from a disk: no fetch, no server, no other file.

The page forbids itself the network by its content policy, and evaluates chart expressions with
Vega's interpreter, so that it needs no `eval` either. All model output goes through autoescape.
Left out: every response (they are in the predictions' files); a drawn sample shows their nature.
"""

import json
import platform
import random
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import altair as alt
import vl_convert
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tuna_exp.comparison import plots, wording
from tuna_exp.comparison.curves import curves as training_curves
from tuna_exp.comparison.figures import all_rows, title
from tuna_exp.comparison.pareto import pareto_charts
from tuna_exp.comparison.results import Comparison
from tuna_exp.comparison.table import agreement_rows, cost_rows, trust_rows
from tuna_exp.comparison.trust_plots import trust_charts
from tuna_exp.records import Prediction

_SAMPLES = 8
_LONGEST_SHOWN = 1500
_PACKAGES = ("tuna_exp", "torch", "lightning", "transformers", "peft", "scipy", "altair")


@dataclass(frozen=True)
class Sample:
    """One instruction with each method's response to it."""

    kind: str
    instruction: str
    answers: tuple[tuple[str, Prediction], ...]


def write_report(
    comparison: Comparison,
    path: Path,
    settings: Mapping[str, object],
    shown: Collection[str] | None = None,
) -> Path:
    """Write the page to `path` and return it.

    `settings` may be nested and is shown as it stands: the caller leaves secrets out of it. `shown`
    are the ids of the items whose texts are known, None for all.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_page(comparison, settings, shown), encoding="utf-8")
    return path


def samples(
    comparison: Comparison, number: int = _SAMPLES, shown: Collection[str] | None = None
) -> list[Sample]:
    """Draw instructions at random, half of them among those on which the methods disagree."""
    draw = random.Random(comparison.bootstrap.seed)
    found = _side_by_side(comparison, shown)
    split = [s for s in found if len({prediction.passed for _, prediction in s.answers}) > 1]
    chosen = draw.sample(split, min(len(split), number // 2))
    rest = [sample for sample in found if sample not in chosen]
    return chosen + draw.sample(rest, min(len(rest), number - len(chosen)))


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that the numbers depend on."""
    return {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES}


def script_json(value: object) -> Markup:
    """JSON that may stand inside a script element: it cannot end the element or open a comment."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def environment(package: str | None = None) -> Environment:
    """Templates of a package, and this one's `_style` and `_charts` for them to include."""
    ours = PackageLoader("tuna_exp.comparison")
    return Environment(
        loader=ChoiceLoader([PackageLoader(package), ours]) if package else ours,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _page(
    comparison: Comparison, settings: Mapping[str, object], shown: Collection[str] | None
) -> str:
    charts = [*plots.charts(comparison), *pareto_charts(comparison)]
    curves = training_curves(comparison)
    trust = trust_charts(comparison)
    tables = (trust_rows(comparison), agreement_rows(comparison))
    return (
        environment()
        .get_template("report.html.jinja")
        .render(
            comparison=comparison,
            wording=wording,
            charts=charts,
            curves=curves,
            trust=trust,
            figures=[(title(comparison, one), all_rows(one)) for one in comparison.benchmarks],
            cost_tables=cost_rows(comparison),
            trust_tables=[rows for rows in tables if rows],
            specs=script_json([chart.spec for chart in [*charts, *curves, *trust]]),
            bundle=bundle(),
            samples=samples(comparison, shown=shown),
            settings=list(_flat(settings)),
            versions=versions(),
            shorten=_shorten,
        )
    )


@cache
def bundle() -> Markup:
    """Vega, Vega-Lite, vega-embed and the expression interpreter, about 0.9 MB of script."""
    return Markup(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", _vega_lite()))


def _vega_lite() -> str:
    """Major and minor version of Vega-Lite for which altair writes: 6.4 of v6.4.1."""
    major, minor, _ = alt.SCHEMA_VERSION.removeprefix("v").split(".")
    return f"{major}.{minor}"


def _flat(settings: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Nested settings as dotted names, in the order they stand."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _side_by_side(comparison: Comparison, shown: Collection[str] | None) -> list[Sample]:
    answers: dict[str, list[tuple[str, Prediction]]] = {}
    for method in comparison.methods:
        for prediction in method.predictions:
            if shown is None or prediction.instruction.id in shown:
                own = answers.setdefault(prediction.instruction.id, [])
                own.append((method.method, prediction))
    instructions = [group[0][1].instruction for _, group in sorted(answers.items())]
    return [Sample(i.kind, i.text, tuple(answers[i.id])) for i in instructions]


def _shorten(text: str) -> str:
    left = len(text) - _LONGEST_SHOWN
    return text if left <= 0 else f"{text[:_LONGEST_SHOWN]} … ({left} more characters)"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
