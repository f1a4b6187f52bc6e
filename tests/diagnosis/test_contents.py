"""What is wrong with sets: each finding with its count, on sets made for it."""

from tests.diagnosis.conftest import MakeSet
from tuna_exp.diagnosis.contents import examine
from tuna_exp.diagnosis.findings import Diagnosis, Finding, gravest_first
from tuna_exp.diagnosis.loading import RankedData, RankedSet


def found(*sets: RankedSet, refused: dict[str, int] | None = None) -> dict[str, Finding]:
    data = RankedData("here", "test", sets, refused or {})
    return {finding.name: finding for finding in examine(data, 0.95)}


def sizes(findings: dict[str, Finding]) -> dict[str, tuple[str, int]]:
    return {name: (f.severity, f.count) for name, f in findings.items() if name != "sizes"}


def test_clean_sets_have_sizes_only(make_set: MakeSet) -> None:
    findings = found(make_set("a", ["x", "y", "z"]), make_set("b", ["x", "y"]))
    assert sizes(findings) == {}
    assert "3 responses: 1 sets, 2 responses: 1 sets" in findings["sizes"].message


def test_repeats_and_contradictions(make_set: MakeSet) -> None:
    """b repeats a but for case and space, c has the order reversed, d other responses."""
    findings = found(
        make_set("a", ["x y", "z"], instruction="Do it."),
        make_set("b", ["X  y", "z"], instruction="do  it."),
        make_set("c", ["z", "x y"], instruction="Do it."),
        make_set("d", ["u", "v"], instruction="Do it."),
    )
    assert sizes(findings) == {
        "contradicting_sets": ("error", 1),
        "repeated_sets": ("warning", 1),
        "repeated_instructions": ("warning", 3),
    }
    assert findings["contradicting_sets"].example.startswith("c: ")
    assert "comes 4 times" in findings["repeated_instructions"].message


def test_repeated_and_empty_responses(make_set: MakeSet) -> None:
    findings = found(
        make_set("a", ["x", "x", "y"], scores=[2, 1, 0]),
        make_set("b", ["", "y"]),
        make_set("c", ["y", " "]),
    )
    assert sizes(findings) == {
        "repeated_responses": ("warning", 1),
        "empty_best_response": ("error", 1),
        "empty_responses": ("warning", 1),
    }


def test_sets_without_order_and_ties(make_set: MakeSet) -> None:
    """Of 1 + 3 + 0 + 1 pairs, the first and one of the second are tied; two sets of 4 unordered."""
    findings = found(
        make_set("a", ["x", "y"], scores=[1, 1]),
        make_set("b", ["x", "y", "z"], scores=[1, 1, 0]),
        make_set("c", ["x"]),
        make_set("d", ["x", "y"]),
    )
    assert sizes(findings) == {
        "single_response": ("warning", 1),
        "sets_without_order": ("warning", 2),
        "ties": ("note", 2),
    }
    assert (findings["ties"].of, "50 % [15, 85]" in findings["sets_without_order"].message) == (
        5,
        True,
    )
    nothing = found(make_set("a", ["x", "y"], scores=[1, 1]))
    assert nothing["sets_without_order"].severity == "error"


def test_refusals_by_kind(make_set: MakeSet) -> None:
    """1 of 10 is a note, 3 of 13 a warning."""
    nine = [make_set(str(n), ["x", "y"]) for n in range(9)]
    assert found(*nine, refused={"empty": 1})["refused_empty"].severity == "note"
    many = found(*nine, refused={"empty": 3, "no_order": 1})
    assert (many["refused_empty"].severity, many["refused_empty"].of) == ("warning", 13)
    assert "23 % [8, 50]" in many["refused_empty"].message


def test_missing_references_are_noted(make_set: MakeSet) -> None:
    one = make_set("a", ["x", "y"])
    bare = one.example.instruction.model_copy(update={"reference": None})
    example = one.example.model_copy(update={"instruction": bare})
    assert sizes(found(RankedSet(example, one.texts))) == {"missing_references": ("note", 1)}


def test_status_and_order_of_findings() -> None:
    """0 for notes and warnings, 1 for warnings where strict, 1 for errors."""
    warning, note, error = (
        Finding(name, severity, 1, 1, "sets", "")
        for name, severity in (("w", "warning"), ("n", "note"), ("e", "error"))
    )
    assert [f.name for f in gravest_first([warning, note, error])] == ["e", "w", "n"]
    for findings, loose, strict in (([note], 0, 0), ([warning], 0, 1), ([error], 1, 1)):
        diagnosis = Diagnosis("here", "test", 1, 2, tuple(findings))
        assert (diagnosis.status(strict=False), diagnosis.status(strict=True)) == (loose, strict)
