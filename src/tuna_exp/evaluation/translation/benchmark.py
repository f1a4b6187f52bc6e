"""Translation as a benchmark: segments of one or more language pairs, corpus BLEU and chrF.

Left out: documents. The published WMT segments are judged one by one here, as by most.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tuna_exp.comparison.statistics import Array, Bootstrap, Interval, mean_interval
from tuna_exp.datasets.checking import Entry, Identifier, NotBlank, Shape, collect, fit
from tuna_exp.errors import ConfigError, nearest
from tuna_exp.evaluation.base import Figure
from tuna_exp.evaluation.translation.scores import (
    bleu,
    bleu_metric,
    chrf,
    chrf_metric,
    counts,
    interval,
    resampled,
    signature,
)
from tuna_exp.evaluation.translation.segments import read_segments, segments_digest
from tuna_exp.llms.decoding import Decoding
from tuna_exp.records import Candidate, Instruction, Prediction

LANGUAGES = {
    "cs": "Czech",
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "ja": "Japanese",
    "ko": "Korean",
    "ru": "Russian",
    "uk": "Ukrainian",
    "zh": "Chinese",
}
_FIELDS = {"pair": "pair", "index": "index", "source": "source", "reference": "reference"}


class _Row(Shape):
    pair: NotBlank
    index: Identifier
    source: NotBlank
    reference: NotBlank


@dataclass(frozen=True)
class TranslationBenchmark:
    """Segments of a file of JSON lines {pair: de-en, index, source, reference}, or of TSV files.

    `pairs` are those that are asked, None: all of the file. `instruction` has places {source} and
    {target} for the languages' names; the segment follows it.
    """

    name: str
    path: str
    pairs: Sequence[str] | None
    instruction: str
    max_new_tokens: int
    batch_size: int

    @cached_property
    def _entries(self) -> list[Instruction]:
        self._check_instruction()
        cure = "JSON lines with pair, index, source and reference, or a folder of de-en.tsv."
        made = collect(read_segments(Path(self.path)), self._entry, cure)
        items = [entry.instruction for entry in made]
        known = list(dict.fromkeys(item.kind for item in items))
        for pair in self.pairs or ():
            if pair not in known:
                raise ConfigError(
                    f"evaluation.{self.name}.pairs: '{pair}' has no segment in {self.path}, which "
                    f"holds {', '.join(known)}.{nearest(pair, known)} Cure: some of these, or null "
                    "for all."
                )
        return [item for item in items if self.pairs is None or item.kind in self.pairs]

    def items(self) -> list[Instruction]:
        """Return the segments. Raises UserError for a file that is not so, or a pair not in it."""
        return list(self._entries)

    def decoding(self) -> Decoding:
        """Return greedy decoding, one response."""
        return Decoding.greedy(self.max_new_tokens)

    def score(self, instruction: Instruction, answer: Candidate) -> Prediction:
        """Score by sentence-level chrF2; an answer passes where it is the reference itself."""
        reference, text = instruction.reference or "", one_line(answer.text)
        score = chrf_metric().sentence_score(text, [reference]).score / 100
        return Prediction(
            instruction=instruction,
            text=answer.text,
            tokens=answer.tokens,
            passed=text == reference,
            score=min(max(score, 0.0), 1.0),
        )

    def figures(self, predictions: Sequence[Prediction], bootstrap: Bootstrap) -> list[Figure]:
        """Return chrF2 and BLEU of each pair's corpus and their means, and the mean segment chrF2.

        All in [0, 1]. Methods are compared by the last: it alone is a mean over items.
        """
        by_pair: dict[str, list[Prediction]] = {}
        for prediction in predictions:
            by_pair.setdefault(prediction.instruction.kind, []).append(prediction)
        corpora = {pair: _corpus(pair, some, bootstrap) for pair, some in by_pair.items()}
        made = _corpus_figures("all", list(corpora.values()), bootstrap)
        made.append(Figure("segment chrF", "all", _mean(predictions, bootstrap)))
        for pair, corpus in corpora.items() if len(corpora) > 1 else ():
            made += _corpus_figures(pair, [corpus], bootstrap)
            made.append(Figure("segment chrF", pair, _mean(by_pair[pair], bootstrap)))
        return made

    def digest(self) -> dict[str, object]:
        """Return what decides the items and their scores: the file's bytes, not its path."""
        targets = sorted({item.kind.partition("-")[2] for item in self._entries})
        return {
            "benchmark": "translation",
            "sha256": segments_digest(Path(self.path)),
            "pairs": None if self.pairs is None else list(self.pairs),
            "instruction": self.instruction,
            "signatures": [
                signature(metric)
                for metric in (chrf_metric(), *(bleu_metric(target) for target in targets))
            ],
            "max_new_tokens": self.max_new_tokens,
            "batch_size": self.batch_size,
        }

    def _check_instruction(self) -> None:
        try:
            self.instruction.format(source="", target="")
        except (LookupError, ValueError, AttributeError) as error:
            raise ConfigError(
                f"evaluation.{self.name}.instruction={self.instruction!r}: allowed in braces are "
                "{source} and {target}, for the languages' names; the segment follows by itself. "
                "Cure: correct the braces; one that is meant as such is written twice."
            ) from error

    def _entry(self, index: int, row: object) -> Entry:
        read = fit(_Row, row, _FIELDS)
        source, _, target = read.pair.partition("-")
        words = {"source": LANGUAGES.get(source, source), "target": LANGUAGES.get(target, target)}
        return Entry(
            Instruction(
                id=f"{read.pair}-{read.index}",
                instruction=self.instruction.format(**words),
                input=read.source,
                reference=read.reference,
                kind=read.pair,
                split="test",
            )
        )


# By metric: a corpus's score, and those of its resamples.
_Scores = dict[str, tuple[float, Array]]


def _corpus(pair: str, predictions: Sequence[Prediction], bootstrap: Bootstrap) -> _Scores:
    """Return the scores of all segments of one language pair."""
    texts = [one_line(prediction.text) for prediction in predictions]
    references = [prediction.instruction.reference or "" for prediction in predictions]
    target = pair.partition("-")[2]
    made = {}
    for name, metric, score in (
        ("chrF", chrf_metric(), chrf),
        ("BLEU", bleu_metric(target), bleu),
    ):
        found = counts(metric, texts, references)
        value = float(score(found.sum(axis=0)))
        made[name] = (value, resampled(found, score, bootstrap))
    return made


def _corpus_figures(group: str, corpora: Sequence[_Scores], bootstrap: Bootstrap) -> list[Figure]:
    figures = []
    for metric in corpora[0]:
        values = [corpus[metric][0] for corpus in corpora]
        drawn = [corpus[metric][1] for corpus in corpora]
        figures.append(Figure(metric, group, interval(values, drawn, bootstrap.confidence)))
    return figures


def one_line(text: str) -> str:
    """Return an answer as one segment: a file of segments has no line breaks."""
    return " ".join(text.split())


def _mean(predictions: Sequence[Prediction], bootstrap: Bootstrap) -> Interval:
    return mean_interval([p.score for p in predictions], (0.0, 1.0), bootstrap)
