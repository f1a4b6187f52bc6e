"""Tasks about short lists of words: pick, count, reorder, join, name some."""

from random import Random

from tuna_exp.datasets.verifiable.closed_checks import Choice, Number, Sequence, Text
from tuna_exp.datasets.verifiable.kinds import Kind, Made, Maker
from tuna_exp.datasets.verifiable.open_checks import Members
from tuna_exp.datasets.verifiable.reading import in_words
from tuna_exp.datasets.verifiable.vocabulary import ORDINALS, Words


def _one_of(items: list[str], right: str, slots: dict[str, object] | None = None) -> Made:
    wrong = tuple(item for item in items if item != right)
    expects = Choice(answers=(right,), wrong=wrong)
    return Made({"items": ", ".join(items), **(slots or {})}, right.capitalize(), expects)


def _ordered(items: list[str], right: list[str], slots: dict[str, object] | None = None) -> Made:
    expects = Sequence(items=tuple(right))
    return Made({"items": ", ".join(items), **(slots or {})}, ", ".join(right), expects)


def _item_at(place: int) -> Maker:
    def make(random: Random, words: Words) -> Made:
        items = words.some(random, random.randint(3, 5))
        return _one_of(items, items[place])

    return make


def _nth(random: Random, words: Words) -> Made:
    n = random.choice(words.counts)
    items = words.some(random, random.randint(max(n, 3), 5))
    return _one_of(items, items[n - 1], {"nth": ORDINALS[n]})


def _count(random: Random, words: Words) -> Made:
    items = words.some(random, random.randint(2, 6))
    size = len(items)
    return Made({"items": ", ".join(items)}, str(size), Number(low=size, high=size))


def _reverse(random: Random, words: Words) -> Made:
    items = words.some(random, random.randint(2, 4))
    return _ordered(items, items[::-1])


def _swap(random: Random, words: Words) -> Made:
    one, two = words.some(random, 2)
    return Made({"a": one, "b": two}, f"{two} {one}", Sequence(items=(two, one)))


def _sort(random: Random, words: Words) -> Made:
    items = words.some(random, 3)
    made = _ordered(items, sorted(items))
    return Made({}, made.reference, made.expects, input=", ".join(items))


def _hyphens(random: Random, words: Words) -> Made:
    items = words.some(random, random.randint(2, 3))
    joined = "-".join(items)
    return Made({"items": " ".join(items)}, joined, Text(text=joined, echo=tuple(items)))


def _remove(random: Random, words: Words) -> Made:
    items = words.some(random, random.randint(3, 4))
    gone = random.choice(items)
    return _ordered(items, [item for item in items if item != gone], {"gone": gone})


def _append(random: Random, words: Words) -> Made:
    *items, extra = words.some(random, random.randint(3, 4))
    return _ordered(items, [*items, extra], {"extra": extra})


def _odd_one_out(random: Random, words: Words) -> Made:
    most, other = random.sample([c for c in words.categories if c.countable], 2)
    odd = random.choice(other.members)
    items = [*random.sample(most.members, 3), odd]
    random.shuffle(items)
    return _one_of(items, odd)


def _longest(random: Random, words: Words) -> Made:
    longest = words.thing(random, lambda w: len(w) > 6)
    rest = random.sample([w for w in words.things if len(w) < len(longest) - 1], 2)
    items = [longest, *rest]
    random.shuffle(items)
    return _one_of(items, longest)


def _name(random: Random, words: Words) -> Made:
    category, count = words.category(random), random.choice(words.counts)
    barred, *named = random.sample(category.members, count + 1)
    slots = {"n": in_words(count), "plural": category.plural, "barred": barred}
    expects = Members(category=category.name, count=count, barred=(barred,))
    return Made(slots, ", ".join(named), expects)


KINDS = (
    Kind(
        "list/first",
        _item_at(0),
        (
            "Which word comes first here: {items}?",
            "{items}. Name the word at the start of this list.",
            "Read this list and say its first word: {items}",
            "What does the list {items} begin with?",
        ),
        ("Give the opening word of: {items}", "Of {items}, which is listed first?"),
    ),
    Kind(
        "list/last",
        _item_at(-1),
        (
            "Which word comes last here: {items}?",
            "{items}. Name the word at the end of this list.",
            "Read this list and say its last word: {items}",
            "What does the list {items} end with?",
        ),
        ("Give the closing word of: {items}", "Of {items}, which is listed last?"),
    ),
    Kind(
        "list/nth",
        _nth,
        (
            "Which word is {nth} here: {items}?",
            "{items}. Name the {nth} word of this list.",
            "Read this list and say its {nth} word: {items}",
            "What is in {nth} place in the list {items}?",
        ),
        ("Give the {nth} word of: {items}", "Of {items}, which is listed {nth}?"),
    ),
    Kind(
        "list/count",
        _count,
        (
            "How many words are in this list: {items}?",
            "Count the things listed: {items}",
            "{items}. How many is that?",
            "Here are some words: {items}. How many are there?",
        ),
        ("State the number of items: {items}", "This list has how many words? {items}"),
    ),
    Kind(
        "list/reverse",
        _reverse,
        (
            "Reverse this list: {items}",
            "Put these words in backward order: {items}",
            "Say these from last to first: {items}",
            "Turn the order around: {items}",
        ),
        ("List in opposite order: {items}", "Read this list backwards: {items}"),
    ),
    Kind(
        "list/sort",
        _sort,
        (
            "Sort these words from A to Z.",
            "Put these words in alphabetical order.",
            "Order the words below by the alphabet.",
            "Which order would these words have in a dictionary? List them.",
        ),
        ("Alphabetize this list.", "Arrange these words alphabetically."),
    ),
    Kind(
        "list/hyphens",
        _hyphens,
        (
            "Join these words with hyphens: {items}",
            "Put a hyphen between these words: {items}",
            "Replace the spaces with hyphens: {items}",
            "Connect the words with dashes, without spaces: {items}",
        ),
        ("Link these words using hyphens: {items}", "Use - in place of each space: {items}"),
    ),
    Kind(
        "list/remove",
        _remove,
        (
            "Remove {gone} from this list: {items}",
            "Say the list again, but leave out {gone}: {items}",
            "Cross out {gone} and give the rest: {items}",
            "From {items}, take away {gone}. What is left?",
        ),
        ("Delete {gone} from: {items}", "Without {gone}, what remains of this list? {items}"),
    ),
    Kind(
        "list/append",
        _append,
        (
            "Add {extra} to the end of this list: {items}",
            "Say this list with {extra} as a new last word: {items}",
            "My list is {items}. Put {extra} after them and give the whole list.",
            "Extend the list {items} with {extra}.",
        ),
        ("Append {extra} to: {items}", "Place {extra} after the last word of this list: {items}"),
    ),
    Kind(
        "list/odd_one_out",
        _odd_one_out,
        (
            "Which is a different sort of thing: {items}?",
            "Find the word that does not fit: {items}",
            "All but one are alike. Name the stranger: {items}",
            "Name the intruder in this group: {items}",
        ),
        ("Which word is the outsider: {items}?", "Spot the word of a different kind: {items}"),
    ),
    Kind(
        "list/name",
        _name,
        (
            "Name {n} {plural} other than {barred}, with commas.",
            "List {n} {plural}. Do not use {barred}.",
            "Besides {barred}, which {n} {plural} can you name?",
            "I know {barred} already. Tell me {n} other {plural}.",
        ),
        ("Give {n} {plural}, but not {barred}.", "Other than {barred}, state {n} {plural}."),
    ),
    Kind(
        "list/swap",
        _swap,
        (),
        (
            "Swap these words: {a} {b}",
            'Change the order of "{a} {b}".',
            "Put the word {b} before the word {a}.",
            "Let {a} and {b} trade places: {a} {b}",
        ),
    ),
    Kind(
        "list/longest",
        _longest,
        (),
        (
            "Which of these words is longest: {items}?",
            "Name the word with the most letters: {items}",
            "{items}. Say the longest word of this list.",
            "Of {items}, which takes the most letters?",
        ),
    ),
)
