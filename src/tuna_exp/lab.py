"""The lab: typed parts in, steps out. What each stage is made from and what decides its result."""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from typing import Any

from tuna_exp.errors import ConfigError, DataError
from tuna_exp.evaluation.base import Benchmark
from tuna_exp.evaluation.contamination import (
    REFUSED,
    Contamination,
    contamination,
    in_dataset,
    refuse_contaminated,
)
from tuna_exp.llms.base import LLM, Sampling
from tuna_exp.models.student import Student
from tuna_exp.plan import Step, Workspace, in_order
from tuna_exp.rankers.base import Ranker
from tuna_exp.rankers.probabilistic import ProbabilisticRanker
from tuna_exp.rankers.proxy import Proxy
from tuna_exp.rankers.proxy_training import train_proxy
from tuna_exp.records import Instruction, RankedExample
from tuna_exp.scoring import (
    DECODE_COST,
    Subject,
    check_benchmarks,
    compare_step,
    of_one_run,
    scores,
    trained,
    untrained,
)
from tuna_exp.sequences import Picked, where
from tuna_exp.services import billing
from tuna_exp.stages.compare import Settings as ComparisonSettings
from tuna_exp.stages.rank import mix, rank, require_order, responses_of, take_over
from tuna_exp.stages.readiness import check_answers, check_likelihood, check_references
from tuna_exp.stages.sample import Drawing, redraws, sample
from tuna_exp.stages.tokenise import (
    Reading,
    tokenise_best,
    tokenise_instructions,
    tokenise_ranking,
)
from tuna_exp.stages.train import CHECKPOINT, Training, train_ranked, train_sft
from tuna_exp.stages.versions import VERSIONS
from tuna_exp.store import Artifact


@dataclass(frozen=True)
class Part:
    """Something a stage uses together with the settings that decide what it does."""

    settings: Mapping[str, Any]
    training: Training
    reading: Reading


@dataclass(frozen=True)
class Lab:
    """All parts of an experiment. Every method returns the step for one stage; nothing runs yet.

    `overlaps` are what is known of benchmarks in the dataset, by benchmark; found where it is not.
    """

    data: Mapping[str, Any]
    instructions: Sequence[Instruction]
    published: Sequence[RankedExample] | None
    student: Student
    teacher: LLM
    scorer: LLM | None
    teacher_sampling: Sampling
    student_sampling: Sampling
    teacher_ranker: Ranker
    ranker: Ranker
    extra_rankers: Mapping[str, Ranker]
    max_refused: float
    trainings: Mapping[str, Part]
    benchmarks: Mapping[str, Benchmark]
    comparison: ComparisonSettings
    allow_contaminated: Sequence[str]
    run_of_words: int
    seed: int
    overlaps: MutableMapping[str, Contamination] = field(default_factory=dict)

    def check(self) -> None:
        """Raise UserError on parts that cannot work together or here, before a model is loaded."""
        if not self.instructions:
            raise ConfigError("instructions in the dataset: 0. Cure: give 1 or more.")
        check_benchmarks(self.benchmarks)
        check_sampling("teacher", self.teacher_sampling)
        check_sampling("student", self.student_sampling)
        if self.published is not None and not any(e.ordered_pairs for e in self.published):
            raise DataError(
                f"none of the dataset's {len(self.published)} rankings holds two different "
                "responses of unequal rank; there is no order to learn. Cure: records with such, "
                "or dataset.fields.responses=null, which has responses sampled and ranked."
            )
        self.student.sampler.check()
        for ranker in (self.teacher_ranker, self.ranker, *self.extra_rankers.values()):
            ranker.check(self.instructions)

    def train_sft(self) -> Step:
        """Return the step that fine-tunes the base model on the responses the dataset has."""
        part = self.trainings["sft"]
        taught = Picked(self.instructions, where(self.instructions, _has_reference))
        read = partial(tokenise_instructions, part.reading, self.student, taught)
        tokens = self._tokenise("tokenise instructions", {"data": self.data}, {}, part, read)
        ready = partial(check_references, self.student, part.reading.batching, taught)
        settings = {"model": self.student.digest(), "objective": part.settings}
        run = partial(train_sft, part.training, self.student)
        inputs = {"tokens": replace(tokens, ready=ready)}
        return self._step("train", "train SFT", settings, inputs, run, 3 * self._tokens(1))

    def train(self, objective: str, start: Step, ranking: Step) -> Step:
        """Return the step that trains the model of `start` on a ranking."""
        part = self.trainings[objective]
        read = partial(tokenise_ranking, part.reading, self.student)
        reading = {"mle_on": part.reading.mle_on, "use_unordered": part.reading.use_unordered}
        tokens = self._tokenise(_tokenised(ranking), reading, {"ranking": ranking}, part, read)
        ready = partial(check_likelihood, part.reading.mle_on, self.instructions)
        tokens = replace(tokens, ready=ready)
        responses = self.student_sampling.decoding.responses
        return self._train_on(tokens, objective, start, 3 * self._tokens(responses))

    def train_best(self, start: Step, ranking: Step) -> Step:
        """Return the step that fine-tunes the model of `start` on the best response of each set."""
        part = self.trainings["best_of_n"]
        read = partial(tokenise_best, part.reading, self.student)
        reading = {"best_only": True, "use_unordered": part.reading.use_unordered}
        label = f"{_tokenised(ranking)}, best only"
        tokens = self._tokenise(label, reading, {"ranking": ranking}, part, read)
        return self._train_on(tokens, "best_of_n", start, 3 * self._tokens(1))

    def _train_on(self, tokens: Step, objective: str, start: Step, effort: float) -> Step:
        part = self.trainings[objective]
        settings = {"model": self.student.digest(), "objective": part.settings}
        run = partial(train_ranked, part.training, self.student)
        inputs = {"model": start, "tokens": tokens}
        label = f"train {_label_of(objective, start)}"
        return self._step("train", label, settings, inputs, run, effort)

    def _tokenise(
        self,
        label: str,
        data: Mapping[str, Any],
        inputs: Mapping[str, Step],
        part: Part,
        run: Callable[[Workspace], None],
    ) -> Step:
        """Return the step whose token ids all trainings share that read alike."""
        reading = part.reading
        settings = {
            **data,
            "tokenizer": self.student.source.digest(),
            "prompt_format": self.student.prompt_format,
            "system_prompt": self.student.system_prompt,
            "max_length": reading.batching.max_length,
            "on_too_long": reading.batching.on_too_long,
        }
        if inputs:
            settings |= {"share": reading.share}
        return self._step("tokenise", label, settings, inputs, run, len(self.instructions) / 2)

    def sample_teacher(self) -> Step:
        """Return the step in which the teacher answers every instruction."""
        settings = {
            "llm": self.teacher.digest(),
            "score_with": self.scorer.digest() if self.scorer else None,
            "data": self.data,
            **self._sampled(self.teacher_sampling, 0),
        }
        drawing = Drawing(self.teacher, self.teacher_sampling, 0, self.scorer)
        run = partial(sample, drawing, self.instructions)
        effort = self._decoded(self.teacher_sampling)
        step = self._step("sample", "sample teacher", settings, {}, run, effort)
        drawn, again = self.teacher_sampling.decoding, redraws(self.teacher_sampling, 0)
        bill = partial(billing.answering, self.teacher, self.instructions, drawn, 0, again)
        return replace(step, ready=self._check_teacher, bill=bill)

    def _check_teacher(self) -> None:
        """Raise UserError where the teacher cannot give what its samples are ranked by."""
        self.teacher.check()
        scored = "logprobs" in self.teacher.gives or self.scorer is not None
        if isinstance(self.teacher_ranker, ProbabilisticRanker) and not scored:
            raise ConfigError(
                "teacher_ranker=probabilistic orders by log-probabilities, which this teacher does "
                "not give. Cure: score_with=hugging_face, a teacher that gives them "
                "(teacher=openai), or another ranker@teacher_ranker."
            )

    def sample_student(self, model: Step) -> Step:
        """Return the step in which a trained student answers every instruction."""
        settings = {
            **self.student.prompting(),
            "data": self.data,
            **self._sampled(self.student_sampling, self.seed),
        }

        def run(work: Workspace) -> None:
            llm = self.student.llm(work.inputs["model"] / CHECKPOINT)
            drawing = Drawing(llm, self.student_sampling, self.seed, None)
            sample(drawing, self.instructions, work)

        label = f"sample {model.label.removeprefix('train ')} model"
        effort = self._decoded(self.student_sampling)
        step = self._step("sample", label, settings, {"model": model}, run, effort)
        longest = self.student_sampling.decoding.max_new_tokens
        return replace(step, ready=partial(check_answers, self.student, longest))

    def published_ranking(self) -> Step | None:
        """Return the step that takes over the dataset's own ranking, or None where it has none."""
        if self.published is None:
            return None
        run = partial(take_over, self.published)
        step = self._step("rank", "take over published ranking", {"data": self.data}, {}, run, 1.0)
        return replace(step, accept=partial(require_order, self.max_refused))

    def rank_by_teacher(self, candidates: Step) -> Step:
        """Return the step that ranks the teacher's samples by its own likelihood."""
        step = self._rank(candidates, self.teacher_ranker, "rank teacher's samples")
        return replace(step, accept=self._accept_sampled)

    def rank_by_reading(self, candidates: Step) -> Step:
        """Return the step in which the ranker reads and orders a student's samples."""
        label = f"rank samples of {candidates.label.removeprefix('sample ')}"
        step = self._rank(candidates, self.ranker, label)
        return replace(step, accept=self._accept_sampled)

    def _accept_sampled(self, ranking: Artifact) -> None:
        """Raise UserError where ranked samples are not to be learned from.

        They have no order, or hold items of a benchmark that must not be trained on.
        """
        require_order(self.max_refused, ranking)
        found = [
            contamination(
                name, benchmark.items(), (), responses_of(ranking.folder), self.run_of_words
            )
            for name, benchmark in self.benchmarks.items()
            if name in REFUSED
        ]
        refuse_contaminated(found, self.allow_contaminated)

    def mix(self, rankings: Mapping[str, Step]) -> Step:
        """Return the step that puts the sets of several rankings into one."""
        effort = len(self.instructions) / 2
        return self._step("mix", "rank both kinds of samples", {}, rankings, mix, effort)

    def evaluate(self, model: Step | None, baseline: Step | None) -> dict[str, Step]:
        """Return, by benchmark, the step with the figures of a trained model, None: the base model.

        Where a judge compares methods, it is with the answers of `baseline`.
        """
        subject, other = self._subject(model), self._subject(baseline)
        bootstrap = self.comparison.bootstrap
        return scores(subject, self.benchmarks, bootstrap, self.max_refused, other)

    def _subject(self, model: Step | None) -> Subject:
        if model is None:
            return untrained("base model", self.student.llm())
        return trained(self.student, model)

    def compare(self, methods: Mapping[str, Step]) -> Step:
        """Return the step that compares trained models, with the base model and SFT beside them.

        Raises ConfigError where a benchmark that must not be trained on stands in the dataset.
        """
        for name, benchmark in self.benchmarks.items():
            if name not in self.overlaps:
                self.overlaps[name] = self._overlap(name, benchmark)
        overlaps = [self.overlaps[name] for name in self.benchmarks]
        refuse_contaminated(overlaps, self.allow_contaminated)
        models = {"base": None, "sft": self.train_sft(), **methods}
        baseline = models.get(self.comparison.baseline)
        scored = {
            # The base model was trained on nothing, so no seed had a part in it.
            name: of_one_run(self.evaluate(model, baseline), str(self.seed) if model else "")
            for name, model in models.items()
        }
        measured = self._measured(self.train_sft())
        return compare_step(
            scored, self.comparison, measured, overlaps, run_of_words=self.run_of_words
        )

    def _overlap(self, name: str, benchmark: Benchmark) -> Contamination:
        """Look for a benchmark's items in the dataset; what is sampled is not there yet."""
        ranked = self.published or ()
        return in_dataset(name, benchmark.items(), self.instructions, ranked, self.run_of_words)

    def _measured(self, student: Step) -> list[Step]:
        """Rank the SFT model's samples only to see how far each ranker can be trusted."""
        candidates = self.sample_student(student)
        return [
            self._rank(candidates, ranker, f"measure {name} ranker", self.comparison.measured_sets)
            for name, ranker in self.extra_rankers.items()
        ]

    def _rank(self, candidates: Step, ranker: Ranker, label: str, limit: int | None = None) -> Step:
        if isinstance(ranker, Proxy):
            return self._rank_by_proxy(candidates, ranker, label, limit)
        settings = {"ranker": ranker.digest(), "limit": limit}
        run = partial(rank, ranker, limit)
        responses, sets = self.student_sampling.decoding.responses, len(self.instructions)
        # Some rankers without a judge read with a model of their own, others compute a number.
        effort = 400.0 * sets * ranker.questions(responses) + self._tokens(responses) / 10
        effort *= min(limit or sets, sets) / max(sets, 1)
        step = self._step("rank", label, settings, {"candidates": candidates}, run, effort)
        sampling = self.student_sampling.decoding
        count = min(limit or sets, sets)
        bill = partial(billing.ranking, ranker, self.instructions, sampling, count)
        return replace(step, ready=partial(check_judges, ranker), bill=bill)

    def _rank_by_proxy(self, candidates: Step, proxy: Proxy, label: str, limit: int | None) -> Step:
        """Return the step that ranks by a proxy, with those that label sets and train it."""
        what = label.removeprefix("rank ").removeprefix("measure ")
        sets = proxy.labelled(len(self.instructions))
        labelled = self._rank(candidates, proxy.labels, f"rank labels: {what}", sets)
        if limit is None:  # what is only measured is never refused
            labelled = replace(labelled, accept=partial(require_order, self.max_refused))
        read = self._tokens(self.student_sampling.decoding.responses)
        effort = 3 * read * proxy.share * proxy.training.epochs
        train = partial(train_proxy, proxy)
        inputs = {"ranking": labelled}
        trained = self._step("proxy", f"train proxy: {what}", proxy.recipe(), inputs, train, effort)

        def run(work: Workspace) -> None:
            rank(proxy.trained(work.inputs["proxy"] / CHECKPOINT), limit, work)

        settings = {"ranker": proxy.digest(), "limit": limit}
        inputs = {"candidates": candidates, "proxy": trained}
        return self._step("rank", label, settings, inputs, run, read)

    def _step(
        self,
        stage: str,
        label: str,
        settings: Mapping[str, Any],
        inputs: Mapping[str, Step],
        run: Callable[[Workspace], None],
        effort: float,
    ) -> Step:
        return Step(stage, label, VERSIONS[stage], settings, inputs, run, effort)

    def _sampled(self, sampling: Sampling, seed: int) -> dict[str, Any]:
        return {"sampling": asdict(sampling), "seed": seed}

    def _tokens(self, responses: int) -> float:
        """Estimate the tokens of all instructions with so many responses, 4 characters each."""
        asked, answered = self._characters
        return 30 * len(self.instructions) + asked / 4 + responses * answered / 4

    @cached_property
    def _characters(self) -> tuple[int, int]:
        """Characters of all instructions and of all references."""
        asked = answered = 0
        for instruction in self.instructions:
            asked += len(instruction.text)
            answered += len(instruction.reference or "")
        return asked, answered

    def _decoded(self, sampling: Sampling) -> float:
        responses = sampling.decoding.responses
        return self._tokens(0) + DECODE_COST * (self._tokens(responses) - self._tokens(0))


def _has_reference(instruction: Instruction) -> bool:
    return bool(instruction.reference)


def check_judges(ranker: Ranker) -> None:
    """Raise UserError where a ranker's judge cannot be asked here."""
    for _, judge in billing.judges(ranker):
        judge.check()


def check_sampling(name: str, sampling: Sampling) -> None:
    """Raise ConfigError where sets drawn like this could have no order."""
    decoding = sampling.decoding
    if decoding.responses < 2:
        raise ConfigError(
            f"the {name} samples {decoding.responses} response per instruction "
            "(sampling.decoding.responses); a ranking needs at least 2."
        )
    if decoding.temperature == 0 and sampling.diversity is None:
        raise ConfigError(
            f"the {name} samples at temperature 0 (sampling.decoding.temperature): all responses "
            "of a set would be equal, with no order to learn. Cure: a temperature above 0."
        )


def _tokenised(ranking: Step) -> str:
    return f"tokenise {ranking.label.removeprefix('rank ').removeprefix('take over ')}"


def _label_of(objective: str, start: Step) -> str:
    """Return what a training is called, by what it does and what was trained before it."""
    names = {"tuna_p": "Tuna-p", "tuna_c": "Tuna-c", "mixed": "mixed", "best_of_n": "best of N"}
    before = {"tuna_c": ("tuna_p", " (Tuna)"), "tuna_p": ("tuna_c", " (reverse)")}
    earlier, mark = before.get(objective, ("", ""))
    return names[objective] + (mark if earlier in _objectives(start) else "")


def _objectives(step: Step) -> set[str]:
    """Return the objectives of a training step and of those it started from."""
    return {str(s.settings["objective"]["name"]) for s in in_order([step]) if s.stage == "train"}
