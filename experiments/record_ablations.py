"""Record what the ablations found: tables, a plot and one page that holds claims against them.

    python experiments/record_ablations.py RUNS

compares the runs of every ablation, RUNS/NAME as `make record-ablations` left them, and writes
experiments/ablations. Nothing is rounded or chosen by hand.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import altair as alt

from tuna_exp.comparing import compare_runs, copy_comparison

ROOT = Path(__file__).parents[1]
EXPERIMENTS = ROOT / "experiments"
KEPT = EXPERIMENTS / "ablations"
# Large, or made by `tuna-exp compare`.
NOT_KEPT = ("report.html", "figures.csv", "table.tex", "comparison.json")
ENDS = ("value", "low", "high")
HEAD = """# Ablations

Each is one file of overrides in [experiments](..) with the claim that it tests; results are of the
embedded model (SmolLM2-135M) and dataset, by `make record-ablations`. Points are against SFT on the
same items and seeds; verdicts are corrected for the comparisons of each table (Holm), and intervals
allow for other kinds of item. At this size most differences are below what can be seen: the last
column says what could have been.

![Points against SFT, with intervals](overview.svg)
"""


def names() -> list[str]:
    """Return the ablations: the experiments that build on `ablation`."""
    found = [p.stem for p in EXPERIMENTS.glob("*.yaml") if "- ablation\n" in p.read_text("utf-8")]
    return sorted(found, key=lambda name: (name.startswith("ablate"), name))


def claim(name: str) -> str:
    """Return the claim in an experiment's header."""
    lines = (EXPERIMENTS / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    words = [line.removeprefix("# ") for line in lines if line.startswith("# ")]
    told = " ".join(word for word in words if not word.startswith(("@", "    ")))
    text = re.sub(r"^Claim[^:]*: ", "", told)
    return text[:1].upper() + text[1:]


def section(name: str, found: dict[str, Any]) -> str:
    """Return claim, command and result of one ablation as Markdown."""
    rows = [row for row in found["rows"] if row["split"] == "all" and row["difference"]]
    head = (
        "| method | seeds | score % | points on sft | p (Holm) | verdict | could have been seen |"
    )
    lines = [head, "|---|---|---|---|---|---|---|", *map(_row, rows)]
    return (
        f"## {name}\n\n{claim(name)}\n\n`tuna-exp experiment={name}`: {found['headline']}\n\n"
        + "\n".join(lines)
        + f"\n\n[Table]({name}/table.md)\n"
    )


def _row(row: dict[str, Any]) -> str:
    score, difference = row["score"], row["difference"]
    interval, seen = difference["interval"], difference["detectable"]
    cells = [
        short(row["method"]),
        str(difference["seeds"]),
        f"{100 * score['value']:.1f}",
        "{:+.1f} [{:+.1f}, {:+.1f}]".format(*(100 * interval[end] for end in ENDS)),
        f"{difference['adjusted_p']:.3f}",
        difference["verdict"],
        "" if seen is None else f"{100 * seen:.1f}",
    ]
    return f"| {' | '.join(cells)} |"


def short(method: str) -> str:
    """Return a method's name without what all runs of an ablation were asked."""
    return " ".join(w for w in method.split() if not w.startswith(("experiment=", "ablate_")))


def overview(found: dict[str, dict[str, Any]]) -> alt.FacetChart:
    """Return points against SFT with intervals, one row per ablation."""
    data = [
        {
            "ablation": name,
            "method": short(row["method"]),
            **{end: 100 * row["difference"]["interval"][end] for end in ENDS},
        }
        for name, one in found.items()
        for row in one["rows"]
        if row["split"] == "all" and row["difference"] and row["method"] != "base"
    ]
    base = alt.Chart().encode(y=alt.Y("method:N", title=None, sort=None))
    spans = base.mark_rule().encode(x=alt.X("low:Q", title="points against SFT"), x2="high:Q")
    dots = base.mark_point(filled=True, size=50).encode(x="value:Q")
    zero = alt.Chart().mark_rule(strokeDash=[4, 3], color="gray").encode(x=alt.datum(0))
    header = alt.Header(labelAngle=0, labelAlign="left")
    made: alt.FacetChart = (
        alt.layer(zero, spans, dots, data=alt.InlineData(data))
        .properties(width=420)
        .facet(row=alt.Row("ablation:N", title=None, header=header))
        .resolve_scale(y="independent")
        .configure(background="white")
    )
    return made


def main(runs: Path) -> None:
    """Record every ablation that has runs."""
    found: dict[str, dict[str, Any]] = {}
    for name in names():
        if not (runs / name).is_dir():
            continue
        folder = KEPT / name
        copy_comparison(compare_runs([runs / name]).folder, folder)
        found[name] = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
        for file in NOT_KEPT:
            (folder / file).unlink()
    sections = [section(name, one) for name, one in found.items()]
    (KEPT / "README.md").write_text("\n".join([HEAD, *sections]), encoding="utf-8")
    overview(found).save(str(KEPT / "overview.svg"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
