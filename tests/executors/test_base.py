"""This process as its own worker: in order, no faster than asked, with what was made once."""

from tuna_exp.executors.base import InProcess


def test_batches_are_worked_on_as_they_are_asked_for() -> None:
    """Made once; the second batch is begun when its result is wanted; let go of at the end."""
    told: list[object] = []

    def work(made: str, batch: int) -> str:
        told.append(batch)
        return made * batch

    with InProcess().start(lambda: "ab", lambda made: told.append(f"end of {made}")) as session:
        results = session.map(work, [1, 2])
        assert next(results) == "ab" and told == [1]
        assert list(results) == ["abab"]
    assert told == [1, 2, "end of ab"]
