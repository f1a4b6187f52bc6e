"""Tasks about whole numbers: compare, add, count, continue, write in words."""

from random import Random

from tuna_exp.datasets.verifiable.closed_checks import Choice, Number, Sequence, Text
from tuna_exp.datasets.verifiable.kinds import Kind, Made, Maker
from tuna_exp.datasets.verifiable.reading import in_words
from tuna_exp.datasets.verifiable.vocabulary import Words


def _exactly(slots: dict[str, object], value: int, given: tuple[int, ...] = ()) -> Made:
    return Made(slots, str(value), Number(low=value, high=value, given=given))


def _compare(biggest: bool) -> Maker:
    def make(random: Random, words: Words) -> Made:
        one = words.number(random, 1, 99)
        two = words.number(random, 1, 99, but=(one,))
        value = max(one, two) if biggest else min(one, two)
        reference = f"The {'bigger' if biggest else 'smaller'} number is {value}."
        return Made({"a": one, "b": two}, reference, Number(low=value, high=value))

    return make


def _add(random: Random, words: Words) -> Made:
    one, two = words.number(random, 1, 40), words.number(random, 1, 9)
    return _exactly({"a": one, "b": two}, one + two, (one, two))


def _subtract(random: Random, words: Words) -> Made:
    less = words.number(random, 1, 9)
    one = words.number(random, 11, 50, but=(2 * less,))
    return _exactly({"a": one, "b": less}, one - less, (one, less))


def _double(random: Random, words: Words) -> Made:
    number = words.number(random, 2, 99)
    return _exactly({"a": number}, 2 * number, (number,))


def _neighbor(step: int) -> Maker:
    def make(random: Random, words: Words) -> Made:
        number = words.number(random, 2, 199)
        return _exactly({"a": number}, number + step, (number,))

    return make


def _parity(random: Random, words: Words) -> Made:
    number = words.number(random, 1, 199)
    right, wrong = ("odd", "even") if number % 2 else ("even", "odd")
    reference = f"{number} is {right}."
    return Made({"a": number}, reference, Choice(answers=(right,), wrong=(wrong,)))


def _sequence(random: Random, words: Words) -> Made:
    first, step = words.number(random, 1, 99), random.choice((5, 10, 20, 100))
    shown = tuple(first + step * place for place in range(4))
    listed = ", ".join(map(str, shown))
    return _exactly({"numbers": listed}, first + step * 4, shown)


def _run(upwards: bool) -> Maker:
    def make(random: Random, words: Words) -> Made:
        low = words.number(random, 1, 90)
        high = words.number(random, low + 2, low + 6)
        run = [str(number) for number in range(low, high + 1)][:: 1 if upwards else -1]
        slots = {"a": run[0], "b": run[-1]}
        return Made(slots, ", ".join(run), Sequence(items=tuple(run)))

    return make


def _to_words(random: Random, words: Words) -> Made:
    number = words.number(random, 1, 99)
    expects = Text(text=in_words(number), echo=(str(number),))
    return Made({"a": number}, in_words(number), expects)


def _to_digits(random: Random, words: Words) -> Made:
    number = words.number(random, 11, 99)
    expects = Text(text=str(number), echo=(in_words(number),))
    return Made({"a": in_words(number)}, str(number), expects)


def _between(random: Random, words: Words) -> Made:
    low = words.number(random, 1, 80)
    high = words.number(random, low + 4, low + 25)
    inside = words.number(random, low + 1, high - 1)
    expects = Number(low=low + 1, high=high - 1, given=(low, high))
    return Made({"a": low, "b": high}, str(inside), expects)


KINDS = (
    Kind(
        "number/bigger",
        _compare(biggest=True),
        (
            "{a} or {b}: which is more?",
            "Name the greater number: {a} or {b}.",
            "Between {a} and {b}, the larger number is",
            "Would you have more with {a} coins or with {b} coins? Give the number.",
        ),
        ("Choose the higher of {a} and {b}.", "Tell me which is larger: {a}, {b}"),
    ),
    Kind(
        "number/smaller",
        _compare(biggest=False),
        (
            "{a} or {b}: which is less?",
            "Name the lesser number: {a} or {b}.",
            "Between {a} and {b}, the number of lower value is",
            "Would you have less with {a} coins or with {b} coins? Give the number.",
        ),
        ("Choose the lower of {a} and {b}.", "Tell me which is the least: {a}, {b}"),
    ),
    Kind(
        "number/add",
        _add,
        (
            "Add {b} to {a}.",
            "How much is {a} plus {b}?",
            "{a} + {b} =",
            "I have {a} coins and get {b} more. How many now?",
        ),
        ("Give the sum of {a} and {b}.", "Work out {a} + {b}."),
    ),
    Kind(
        "number/subtract",
        _subtract,
        (
            "Subtract {b} from {a}.",
            "How much is {a} minus {b}?",
            "{a} - {b} =",
            "I have {a} coins and spend {b}. How many are left?",
        ),
        ("Take {b} away from {a}.", "Work out {a} - {b}."),
    ),
    Kind(
        "number/double",
        _double,
        (
            "Double {a}.",
            "What do you get when you double the number {a}?",
            "How much is two times {a}?",
            "Multiply {a} by two.",
        ),
        ("Give twice {a}.", "{a} doubled makes"),
    ),
    Kind(
        "number/next",
        _neighbor(1),
        (
            "Counting up, what number follows {a}?",
            "Which number comes right after {a}?",
            "Say the whole number just above {a}.",
            "You have counted to {a}. What do you say next?",
        ),
        ("Name the number after {a}.", "After {a} comes which number?"),
    ),
    Kind(
        "number/even_or_odd",
        _parity,
        (
            "Is {a} even or odd?",
            "Even or odd: {a}",
            'Describe the number {a} with "odd" or "even".',
            "Tell me whether {a} is an odd or an even number.",
        ),
        ("Classify {a} as even or odd.", "The number {a} is odd, or is it even?"),
    ),
    Kind(
        "number/sequence",
        _sequence,
        (
            "Continue with the next number: {numbers}",
            "{numbers}, ... What comes next?",
            "Here is a pattern: {numbers}. Name the number that follows.",
            "Which number goes next in {numbers}?",
        ),
        ("Extend the series {numbers} by its next number.", "What follows {numbers}?"),
    ),
    Kind(
        "number/count_up",
        _run(upwards=True),
        (
            "Count from {a} to {b}.",
            "List the numbers from {a} to {b} in order.",
            "Say every whole number from {a} up to {b}.",
            "Start at {a} and count up until {b}.",
        ),
        ("Give all the numbers {a} through {b}.", "Begin with {a} and keep counting to {b}."),
    ),
    Kind(
        "number/count_down",
        _run(upwards=False),
        (
            "Count down from {a} to {b}.",
            "Count backwards: start at {a}, stop at {b}.",
            "Say the numbers from {a} down to {b}.",
            "Starting from {a}, go down to {b}, naming each number.",
        ),
        ("Do a countdown from {a} to {b}.", "Go backwards from {a} until you reach {b}."),
    ),
    Kind(
        "number/to_words",
        _to_words,
        (
            "Spell the number {a} in words.",
            "How do you say {a} in English words?",
            "Write {a} as a word, not as digits.",
            "Turn the digits {a} into words.",
        ),
        ("Put the number {a} into words.", "Use letters to express {a}."),
    ),
    Kind(
        "number/between",
        _between,
        (
            "Pick a whole number between {a} and {b}.",
            "Tell me a number that is more than {a} but less than {b}.",
            "Name any number that lies after {a} and before {b}.",
            "I am thinking of a number between {a} and {b}. Guess it.",
        ),
        ("Choose any number above {a} and below {b}.", "Give a number from inside {a} to {b}."),
    ),
    Kind(
        "number/before",
        _neighbor(-1),
        (),
        (
            "Counting up, what number do you say just before {a}?",
            "Which number comes right before {a}?",
            "Say the whole number just below {a}.",
            "Name the number that {a} follows.",
        ),
    ),
    Kind(
        "number/to_digits",
        _to_digits,
        (),
        (
            'Write "{a}" in digits.',
            "Turn {a} into digits.",
            "Use digits to show {a}.",
            'Which digits stand for "{a}"?',
        ),
    ),
)
