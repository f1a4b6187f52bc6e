"""A paid service, or a server of one's own, as an LLM: teacher or judge.

It takes text and gives text; its tokens are its own. Left out: asking for the probability of
options (`choose`), which no chat service gives for more than a few tokens.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tuna_exp.errors import ConfigError
from tuna_exp.llms.base import Form, Gift, Unpaid
from tuna_exp.llms.decoding import Decoding
from tuna_exp.llms.exchange import request_seed
from tuna_exp.records import Candidate, Instruction, Origin, Usage
from tuna_exp.services.account import Account
from tuna_exp.services.desk import Desk
from tuna_exp.services.endpoint import Endpoint
from tuna_exp.services.ledger import Entry
from tuna_exp.services.requests import Choice, Reply, Request, ServiceError, Taken
from tuna_exp.services.wires import WIRES, Question, Turn, parsed

# A service takes all there is at once: it is the ledger that makes an answer safe, and a batch that
# waits for its last answer would leave the service idle.
TOGETHER = 1_000_000
BYTES_PER_TOKEN = 4  # about, of English text: to sort by, never to pay by


@dataclass(frozen=True)
class ServiceLLM:
    """A model behind an endpoint, with few-shot `examples` before the instruction.

    `logprobs` asks for the log-probabilities of tokens, `seeds` says that a request may carry a
    seed, `forms` that an answer can be bound to a JSON schema, `choices` how many answers one
    request may ask for. `parameters` are put into every request; null takes one out. `licence` tags
    what the model writes.
    """

    endpoint: Endpoint
    account: Account
    system_prompt: str | None
    examples: Sequence[Mapping[str, str]]
    logprobs: bool
    seeds: bool
    forms: bool
    choices: int
    parameters: Mapping[str, Any]
    licence: str

    @property
    def gives(self) -> frozenset[Gift]:
        """Return what it gives besides texts."""
        gifts: dict[Gift, bool] = {"logprobs": self.logprobs, "forms": self.forms}
        return frozenset(gift for gift, given in gifts.items() if given)

    def together(self, asked: int) -> int:
        """Return how many instructions to ask at once: all of them."""
        return TOGETHER

    def digest(self) -> dict[str, object]:
        """Return what decides the answers; neither the transport nor the money does."""
        return {
            "service": self.endpoint.base_url,
            "wire": self.endpoint.wire,
            "model": self.endpoint.model,
            "system_prompt": self.system_prompt,
            "examples": [dict(example) for example in self.examples],
            "logprobs": self.logprobs,
            "seeds": self.seeds,
            "parameters": dict(self.parameters),
            "licence": self.licence,
        }

    def usd(self, read: float, generated: float) -> float:
        """Return what tokens read and generated cost, in dollars."""
        taken = Taken(round(read), 0, round(generated))
        return self.endpoint.price.usd(taken, batch=self.endpoint.transport == "batch")

    def unpaid(
        self, instructions: Sequence[Instruction], decoding: Decoding, seed: int
    ) -> list[Unpaid]:
        """Return the requests whose answers are not in the ledger, each of them once."""
        asked: dict[str, Unpaid] = {}
        parts = self.parts(decoding.responses)
        for instruction in instructions:
            text = sum(len(turn.text.encode()) for turn in self._turns(instruction))
            requests = self.requests(instruction, decoding, seed)
            asked |= {r.key: Unpaid(text, n) for r, n in zip(requests, parts, strict=True)}
        if not Path(self.account.ledger).exists():
            return list(asked.values())
        ledger = self.account.open()
        known = ledger.entries(list(asked))
        ledger.close()
        answered = {key for key, entry in known.items() if entry.state == "answered"}
        return [unpaid for key, unpaid in asked.items() if key not in answered]

    def check(self) -> None:
        """Raise ConfigError where it cannot be asked: no key, no price, settings that clash."""
        self.endpoint.check()
        if self.choices < 1:
            raise ConfigError(f"teacher.choices={self.choices}. Cure: give 1 or more.")
        if self.logprobs and self.endpoint.wire == "anthropic_messages":
            raise ConfigError(
                "teacher.logprobs=true: Anthropic's messages have no log-probabilities. Cure: "
                "teacher.logprobs=false, and score_with=hugging_face where a ranking needs them."
            )

    def open(self) -> "OpenServiceLLM":
        """Open the ledger; nothing is sent yet."""
        self.check()
        return OpenServiceLLM(self)

    def requests(
        self, instruction: Instruction, decoding: Decoding, seed: int, form: Form | None = None
    ) -> list[Request]:
        """Return the requests that answer an instruction `decoding.responses` times."""
        parts = self.parts(decoding.responses)
        return [
            self._request(instruction, replace(decoding, responses=n), seed, place * parts[0], form)
            for place, n in enumerate(parts)
        ]

    def parts(self, wanted: int) -> list[int]:
        """Return how many answers each of the requests asks for that bring so many."""
        several = 1 if self.endpoint.wire == "anthropic_messages" else self.choices
        return [min(several, wanted - first) for first in range(0, wanted, several)]

    def _request(
        self, instruction: Instruction, decoding: Decoding, seed: int, first: int, form: Form | None
    ) -> Request:
        """Return the request for answers from the place `first` on."""
        # Greedy answers carry one too: services are not exact, and a repeat is to be asked anew.
        own_seed = request_seed(seed, instruction.id, first) if self.seeds else None
        question = Question(
            self._turns(instruction), decoding, own_seed, self.logprobs, form, self.parameters
        )
        body = WIRES[self.endpoint.wire].body(self.endpoint.model, question)
        # What a service draws by itself differs by asking, not by what is posted.
        part = "" if own_seed is not None else f"{seed}/{instruction.id}/{first}"
        return Request(self.endpoint.base_url, self.endpoint.wire, body, part)

    def _turns(self, instruction: Instruction) -> list[Turn]:
        shown = [Instruction(id="example", **example) for example in self.examples]
        if self.endpoint.wire == "openai_completions":
            return [Turn("user", _as_text(self.system_prompt, shown, instruction))]
        turns = [Turn("system", self.system_prompt)] if self.system_prompt else []
        for example in shown:
            turns += [Turn("user", example.text), Turn("assistant", example.reference or "")]
        return [*turns, Turn("user", instruction.text)]


class OpenServiceLLM:
    """The service with its ledger."""

    def __init__(self, llm: ServiceLLM) -> None:
        self.llm = llm
        self.desk = Desk(llm.endpoint, llm.account)

    def remember(self, instructions: Sequence[Instruction]) -> None:
        """Do nothing: what prompts share is the service's affair."""

    def prompt_length(self, instruction: Instruction, room: int) -> int:
        """Return about the tokens of the prompt; its context is not known here."""
        return len(instruction.text.encode()) // BYTES_PER_TOKEN

    def close(self) -> None:
        """Let the courier end."""
        self.desk.close()

    def answer(
        self,
        instructions: Sequence[Instruction],
        decoding: Decoding,
        seed: int,
        form: Form | None = None,
    ) -> list[list[Candidate]]:
        """Return `decoding.responses` candidates per instruction, from the ledger or bought.

        Raises ServiceError, BudgetError or UserError, with everything answered so far kept.
        """
        asked = [self.llm.requests(i, decoding, seed, form) for i in instructions]
        entries = self.desk.ask([request for some in asked for request in some])
        answered = [
            [c for request in some for c in self._candidates(entries[request.key], request)]
            for some in asked
        ]
        # Servers that know no `n` give one answer; the rest is asked for one by one.
        short = [i for i, some in enumerate(answered) if len(some) < decoding.responses]
        if short:
            self._fill(answered, short, instructions, decoding, seed, form)
        return [some[: decoding.responses] for some in answered]

    def choose(
        self, instructions: Sequence[Instruction], begun: str, options: Sequence[str]
    ) -> list[list[float]]:
        """Raise ConfigError: no service gives the probability of options."""
        raise ConfigError(
            f"{self.llm.endpoint.model} does not give the probability of options. Cure: "
            "ranker.answer=form or text."
        )

    def score_texts(self, instruction: Instruction, texts: Sequence[str]) -> list[list[float]]:
        """Return the log-probability of every token of each text, by a server that can echo.

        Only legacy completions can; the end of the answer is not among the tokens. Raises
        ConfigError elsewhere, ServiceError where the server does not give them.
        """
        if self.llm.endpoint.wire != "openai_completions":
            raise ConfigError(
                f"{self.llm.endpoint.model} cannot score a given text: only servers with legacy "
                "completions that echo can. Cure: score_with a local model."
            )
        prompt = self.llm._turns(instruction)[0].text
        bodies = [
            {
                "model": self.llm.endpoint.model,
                "prompt": f"{prompt} {text.strip()}",
                "max_tokens": 1,
                "temperature": 0.0,
                "echo": True,
                "logprobs": 1,
            }
            for text in texts
        ]
        wire, url = self.llm.endpoint.wire, self.llm.endpoint.base_url
        requests = [Request(url, wire, body, "score") for body in bodies]
        entries = self.desk.ask(requests)
        return [echoed(entries[r.key].reply or "", len(prompt), r, url) for r in requests]

    def _fill(
        self,
        answered: list[list[Candidate]],
        short: Sequence[int],
        instructions: Sequence[Instruction],
        decoding: Decoding,
        seed: int,
        form: Form | None,
    ) -> None:
        one = replace(decoding, responses=1)
        places = [(i, n) for i in short for n in range(len(answered[i]), decoding.responses)]
        requests = [self.llm._request(instructions[i], one, seed, n, form) for i, n in places]
        entries = self.desk.ask(requests)
        for (i, _), request in zip(places, requests, strict=True):
            answered[i] += self._candidates(entries[request.key], request)[:1]

    def _candidates(self, entry: Entry, request: Request) -> list[Candidate]:
        """Read the answers of a reply; the first of several carries what the prompt took."""
        reply = WIRES[request.wire].read(entry.reply or "")
        if not reply.choices:
            raise ServiceError(
                f"{self.llm.endpoint.base_url} sent a reply without any answer (request "
                f"{entry.key[:16]}). Cure: look at it with `tuna-exp ledger show {entry.key[:16]}`."
            )
        shares = shared(reply, entry.usd)
        return [
            self._candidate(choice, reply, entry, usage)
            for choice, usage in zip(reply.choices, shares, strict=True)
        ]

    def _candidate(self, choice: Choice, reply: Reply, entry: Entry, usage: Usage) -> Candidate:
        unscored = choice.logps is None and choice.finish_reason != "refusal"
        if self.llm.logprobs and unscored:
            raise ServiceError(
                f"{self.llm.endpoint.base_url} gave no log-probabilities for model "
                f"{self.llm.endpoint.model}, though asked. Cure: teacher.logprobs=false, with "
                "score_with=hugging_face where the ranking needs them."
            )
        return Candidate(
            text=choice.text,
            token_logprobs=choice.logps or (),
            finish_reason=choice.finish_reason,
            origin=Origin(
                request=entry.key, model=reply.model, licence=self.llm.licence, usage=usage
            ),
        )


def echoed(raw: str, prompt: int, request: Request, url: str) -> list[float]:
    """Return the log-probabilities of what stands behind the first `prompt` characters of an echo.

    Raises ServiceError where the server did not echo.
    """
    told = (parsed(raw)["choices"][0].get("logprobs")) or {}
    offsets, logps = told.get("text_offset") or [], told.get("token_logprobs") or []
    end = len(request.body["prompt"])
    scores = [
        float(logp)
        for at, logp in zip(offsets, logps, strict=False)
        if prompt <= at < end and logp is not None
    ]
    if not scores:
        raise ServiceError(
            f"{url} does not echo a text with its log-probabilities. Cure: a server that does "
            "(vLLM), or score_with a local model."
        )
    return scores


def shared(reply: Reply, usd: float) -> list[Usage]:
    """Divide what a reply took among its answers, by their tokens where these are known."""
    count = len(reply.choices)
    lengths = [len(choice.logps or ()) for choice in reply.choices]
    # Hidden reasoning has no log-probabilities; some servers count only one of several answers.
    if not all(lengths) or sum(lengths) < reply.taken.generated:
        even, rest = divmod(reply.taken.generated, count)
        lengths = [even + (i < rest) for i in range(count)]
    return [
        Usage(read=reply.taken.read if i == 0 else 0, generated=length, usd=usd / count)
        for i, length in enumerate(lengths)
    ]


def _as_text(system: str | None, examples: Sequence[Instruction], asked: Instruction) -> str:
    """Return what a model that only goes on with a text is given."""
    parts = [system] if system else []
    for example in examples:
        parts.append(f"Instruction: {example.text}\n\nResponse: {example.reference}")
    return "\n\n\n".join([*parts, f"Instruction: {asked.text}\n\nResponse:"])
