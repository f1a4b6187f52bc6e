"""The pairwise prompt of the Vicuna evaluation: a score of 1 to 10 for each of two assistants.

Prompts as published in lm-sys/vicuna-blog-eval (Apache-2.0), `eval/table/prompt.jsonl`; the prompt
for a category goes to its questions, the general one to all others. Left out: a system message of
its own, which our LLMs take from their settings; its one sentence stands at the head of the prompt.
"""

import re

from tuna_exp.rankers.asking import Question, Scores
from tuna_exp.records import Instruction

SYSTEM = "You are a helpful and precise assistant for checking the quality of the answer."
TEMPLATE = """[Question]
{question}

[The Start of Assistant 1's Answer]
{answer_1}

[The End of Assistant 1's Answer]

[The Start of Assistant 2's Answer]
{answer_2}

[The End of Assistant 2's Answer]

[System]
{prompt}

"""
GENERAL = (
    "We would like to request your feedback on the performance of two AI assistants in response to "
    "the user question displayed above.\nPlease rate the helpfulness, relevance, accuracy, level "
    "of details of their responses. Each assistant receives an overall score on a scale of 1 to "
    "10, where a higher score indicates better overall performance.\nPlease first output a single "
    "line containing only two values indicating the scores for Assistant 1 and 2, respectively. "
    "The two scores are separated by a space. In the subsequent line, please provide a "
    "comprehensive explanation of your evaluation, avoiding any potential bias and ensuring that "
    "the order in which the responses were presented does not affect your judgment."
)
CODING = (
    "Your task is to evaluate the coding abilities of the above two assistants. They have been "
    "asked to implement a program to solve a given problem. Please review their code submissions, "
    "paying close attention to their problem-solving approach, code structure, readability, and "
    "the inclusion of helpful comments.\n\nPlease ensure that the assistants' submissions:\n\n"
    "1. Correctly implement the given problem statement.\n"
    "2. Contain accurate and efficient code.\n"
    "3. Include clear and concise comments that explain the code's logic and functionality.\n"
    "4. Adhere to proper coding standards and best practices.\n\nOnce you have carefully reviewed "
    "both submissions, provide detailed feedback on their strengths and weaknesses, along with any "
    "suggestions for improvement. You should first output a single line containing two scores on "
    "the scale of 1-10 (1: no code/no sense; 10: perfect) for Assistant 1 and 2, respectively. "
    "Then give extra comments starting from the next line."
)
MATHS = (
    "We would like to request your feedback on the mathematical proficiency of two AI assistants "
    "regarding the given user question displayed above.\nFirst, please solve the problem "
    "independently, without referring to the answers provided by Assistant 1 and Assistant 2.\n"
    "Afterward, please examine the problem-solving process of Assistant 1 and Assistant 2 "
    "step-by-step to ensure their correctness, identifying any incorrect steps if present. Your "
    "evaluation should take into account not only the answer but also the problem-solving steps.\n"
    "Finally, please output a Python tuple containing two numerical scores for Assistant 1 and "
    "Assistant 2, ranging from 1 to 10, respectively. If applicable, explain the reasons for any "
    "variations in their scores and determine which assistant performed better."
)
PROMPTS = {"coding": CODING, "math": MATHS}
# The published reviews have a 0 too, for an answer that is missing.
LOWEST, HIGHEST = 0.0, 10.0
_NUMBER = r"(\d+(?:\.\d+)?)"
_PAIR = re.compile(rf"{_NUMBER}(?: |, ?){_NUMBER}")
# On a line of its own or behind the word for it: a pair of coordinates is no pair of scores.
_TUPLE = re.compile(
    rf"(?:^[ \t]*|\b(?:output|tuple|scores?)\b[^\n(]*)\({_NUMBER},[ \t]*{_NUMBER}\)",
    re.MULTILINE | re.IGNORECASE,
)
_EACH = [re.compile(rf"Assistant {n}:[ \t]*{_NUMBER}(?:/10)?(?![\w.])") for n in (1, 2)]


def vicuna_question(instruction: Instruction, shown: tuple[str, str], name: str) -> Question:
    """Return the question for the scores of two answers, by the instruction's kind."""
    words = TEMPLATE.format(
        question=instruction.text,
        answer_1=shown[0],
        answer_2=shown[1],
        prompt=PROMPTS.get(instruction.kind, GENERAL),
    )
    task = Instruction(id=f"judge/{name}", instruction=f"{SYSTEM}\n\n{words}")
    return Question(shown, task, read_scores)


def read_scores(reply: str) -> Scores | str:
    """Return the two scores of a review, or no_scores, out_of_range.

    They are the first line where it is two numbers (`parse_score` of the published
    `eval_gpt_review.py`). A review that reasons first, as the maths prompt asks for, states them
    at its end: as the last tuple on a line of its own or called output, tuple or scores, else as
    the last "Assistant 1: 10/10" and "Assistant 2: 4/10". The published scores of these reviews
    were read by hand; two of the 39 are not those that their texts state.
    """
    found = _stated(reply)
    if found is None:
        return "no_scores"
    scores = (float(found[0]), float(found[1]))
    return scores if all(LOWEST <= score <= HIGHEST for score in scores) else "out_of_range"


def _stated(reply: str) -> tuple[str, str] | None:
    lines = reply.strip().splitlines()
    first = _PAIR.fullmatch(lines[0].strip()) if lines else None
    if first:
        return first[1], first[2]
    tuples = _TUPLE.findall(reply)
    if tuples:
        return tuples[-1][0], tuples[-1][1]
    each = [pattern.findall(reply) for pattern in _EACH]
    return (each[0][-1], each[1][-1]) if all(each) else None
