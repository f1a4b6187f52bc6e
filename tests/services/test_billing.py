"""What requests will cost, by hand: tokens times the price list, however they are asked.

Tokens of the loopback cost 1 and 2 dollars per million.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.llms.test_service import service
from tests.services.loopback import Loopback
from tuna_exp.llms.base import Unpaid
from tuna_exp.llms.decoding import Decoding
from tuna_exp.records import Instruction
from tuna_exp.services.billing import PROMPT_BYTES, answering, ranking
from tuna_exp.services.prices import Price
from tuna_exp.services.requests import Taken

# 40 bytes are 10 tokens, a reference of 8 bytes 2.
ASKED = [Instruction(id=name, instruction=name * 40, reference="12345678") for name in "ab"]
FOUR = Decoding(responses=4, temperature=1.0, top_p=1.0, top_k=0, max_new_tokens=100)


def test_a_request_that_brings_all_answers_reads_the_prompt_once(
    server: Loopback, tmp_path: Path
) -> None:
    """2 requests of 10 tokens; 8 answers of 2. Price: 20 * 1 + 16 * 2 = 52 millionths.

    At most 2 * (40 + 2500) * 1 + 8 * 100 * 2 = 6680 millionths.
    """
    bill = answering(service(server, tmp_path, "openai_chat"), ASKED, FOUR, 0)
    assert (bill.requests, bill.read, bill.generated) == (2, 20, 16)
    assert bill.usd == pytest.approx(52e-6)
    assert bill.bound == pytest.approx((2 * (40 + PROMPT_BYTES) + 1600) / 1e6)


def test_a_service_of_one_answer_a_request_reads_the_prompt_for_each(
    server: Loopback, tmp_path: Path
) -> None:
    """8 requests of 10 tokens: 80 * 1 + 16 * 2 = 112 millionths."""
    bill = answering(service(server, tmp_path, "anthropic_messages"), ASKED, FOUR, 0)
    assert (bill.requests, bill.read, bill.generated) == (8, 80, 16)
    assert bill.usd == pytest.approx(112e-6)


def test_examples_are_paid_for_with_every_request(server: Loopback, tmp_path: Path) -> None:
    """An example of 4000 and 400 bytes is 1100 tokens more in each of 2 requests."""
    examples = [{"instruction": "x" * 4000, "reference": "y" * 400}]
    llm = service(server, tmp_path, "openai_chat", examples=examples)
    bill = answering(llm, ASKED, FOUR, 0)
    assert bill.read == 20 + 2 * 1100
    assert bill.bound > 2 * 4440 / 1e6  # no token is shorter than a byte


def test_sets_drawn_anew_are_in_the_bound_alone(server: Loopback, tmp_path: Path) -> None:
    llm = service(server, tmp_path, "openai_chat")
    once, thrice = (answering(llm, ASKED, FOUR, 0, again) for again in ([], [(FOUR, 1), (FOUR, 2)]))
    assert thrice.usd == once.usd and thrice.bound == pytest.approx(3 * once.bound)


def test_what_the_ledger_has_costs_nothing(server: Loopback, tmp_path: Path) -> None:
    """Of 2 requests one is answered: half of everything is left."""
    llm = service(server, tmp_path, "openai_chat")
    before = answering(llm, ASKED, FOUR, 0)
    opened = llm.open()
    opened.answer(ASKED[:1], FOUR, 0)
    opened.close()
    after = answering(llm, ASKED, FOUR, 0)
    assert (after.requests, after.usd) == (1, pytest.approx(before.usd / 2))


class Tiered:
    """A thousand requests to a model whose long prompts cost double."""

    def usd(self, read: float, generated: float) -> float:
        price = Price("anthropic", "claude-sonnet-4-5", None, None, None)
        return price.usd(Taken(round(read), 0, round(generated)))

    def unpaid(self, instructions: object, decoding: object, seed: int) -> list[Unpaid]:
        return [Unpaid(text=4_000, answers=1)] * 1_000


def test_many_prompts_are_not_a_long_one() -> None:
    """1000 requests of 1000 tokens at $3 and 2 tokens at $15 per million: $3.03.

    One request of a million tokens would have cost double.
    """
    llm: Any = Tiered()
    assert llm.usd(1_000_000, 0) > 1.5 * 3.0
    assert answering(llm, ASKED, FOUR, 0).usd == pytest.approx(3.03)


class Judge(Tiered):
    """A ranker with a judge, itself."""

    decoding = Decoding(responses=1, temperature=0.0, top_p=1.0, top_k=0, max_new_tokens=10)

    @property
    def judge(self) -> "Judge":
        return self

    def questions(self, responses: int) -> int:
        return 2

    def usd(self, read: float, generated: float) -> float:
        return (read + 2 * generated) / 1e6


def test_a_judge_reads_the_instruction_and_every_response() -> None:
    """2 questions about each of 3 sets: 350 + 10 tokens and 4 responses of 2 make 368.

    6 * (368 * 1 + 5 * 2) = 2268 millionths.
    """
    bill = ranking(Judge(), ASKED, FOUR, 3)
    assert (bill.requests, bill.read, bill.generated) == (6, 6 * 368, 30)
    assert bill.usd == pytest.approx(2268e-6)
