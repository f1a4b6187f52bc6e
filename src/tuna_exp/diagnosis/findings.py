"""What a diagnosis says: findings, each with its size, an example and a cure."""

from collections.abc import Sequence
from dataclasses import dataclass

from tuna_exp.comparison.verdicts import Severity
from tuna_exp.datasets.reading import show

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One thing to know: `count` of `of` `unit`s have it; `example` is one of them.

    An error spoils what is learned or measured, a warning may, a note is to be known.
    """

    name: str
    severity: Severity
    count: int
    of: int
    unit: str
    message: str
    example: str = ""
    cure: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """All findings on one dataset, the gravest first."""

    source: str
    kind: str
    sets: int
    responses: int
    findings: tuple[Finding, ...]

    def status(self, strict: bool) -> int:
        """Return the exit status: 1 with an error, where `strict` also with a warning, else 0."""
        grave = {"error", "warning"} if strict else {"error"}
        return int(any(finding.severity in grave for finding in self.findings))


def gravest_first(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return the findings by severity, those of one severity as they stood."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def quote(name: str, text: str) -> str:
    """Return an instruction's id with the beginning of a text."""
    return f"{name}: {show(text)}"
