"""The dashboard as one HTML file: no fetch, no server, no other file; or the page of the server.

What runs and models wrote reaches it as JSON inside a script element that is not a script, and the
screen as text nodes. The page's content policy forbids every address but its own server's.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from tuna_exp.comparison.report import bundle, environment, script_json

# In the order in which they use one another.
SCRIPTS = ("statistics.js", "model.js", "charts.js", "views.js", "main.js")
STYLE = "dashboard.css"


def page(told: Mapping[str, Any], every: float = 0.0) -> str:
    """Return the page of a reading; with `every` it asks its server anew so often, in seconds."""
    template = environment("tuna_exp.dashboard").get_template("dashboard.html.jinja")
    return template.render(
        every=every,
        style=_ours(STYLE),
        bundle=bundle(),
        data=script_json({"server": "", "generation": 0, **told}),
        settings=script_json({"every": every}),
        script=Markup("\n").join(_ours(name) for name in SCRIPTS),
    )


@cache
def _ours(name: str) -> Markup:
    """Return a file of this package as it stands."""
    return Markup((files("tuna_exp.dashboard") / "templates" / name).read_text(encoding="utf-8"))
