"""Tasks about the letters of a word: find, count, spell, compare."""

from random import Random

from tuna_exp.datasets.verifiable.closed_checks import Choice, Number, Text
from tuna_exp.datasets.verifiable.kinds import (
    Kind,
    Made,
    Maker,
    clear_letter,
    other_letters,
    yes_or_no,
)
from tuna_exp.datasets.verifiable.vocabulary import ORDINALS, Words


def _letter_at(place: int) -> Maker:
    def make(random: Random, words: Words) -> Made:
        word = words.thing(random, lambda w: clear_letter(w[place]))
        letter = word[place]
        expects = Choice(answers=(letter,), wrong=other_letters(letter))
        return Made({"word": word}, letter.upper(), expects)

    return make


def _nth(random: Random, words: Words) -> Made:
    n = random.choice(words.counts)
    word = words.thing(random, lambda w: len(w) >= n and clear_letter(w[n - 1]))
    letter = word[n - 1]
    expects = Choice(answers=(letter,), wrong=other_letters(letter))
    return Made({"word": word, "nth": ORDINALS[n]}, letter.upper(), expects)


def _count(random: Random, words: Words) -> Made:
    word = words.thing(random)
    size = len(word)
    return Made({"word": word}, f"It has {size} letters.", Number(low=size, high=size))


def _spell(random: Random, words: Words) -> Made:
    word = words.thing(random, lambda w: len(w) < 8)
    spelled = "-".join(word)
    return Made({"word": word}, spelled, Text(text=spelled, echo=(word,)))


def _earlier(random: Random, words: Words) -> Made:
    one, two = random.sample([c for c in words.letters if clear_letter(c)], 2)
    right, wrong = sorted((one, two))
    return Made({"a": one, "b": two}, right.upper(), Choice(answers=(right,), wrong=(wrong,)))


def _has(random: Random, words: Words) -> Made:
    answer = random.random() < 0.5
    letter = words.letter(random)
    word = words.thing(random, lambda w: (letter in w) == answer)
    return yes_or_no({"word": word, "letter": letter}, answer)


def _drop_first(random: Random, words: Words) -> Made:
    word = words.thing(random, lambda w: len(w) > 3)
    return Made({"word": word}, word[1:], Text(text=word[1:], echo=(word,)))


def _same_first(random: Random, words: Words) -> Made:
    answer = random.random() < 0.5
    one = words.thing(random, lambda w: sum(v[0] == w[0] for v in words.things) > 1)
    two = words.thing(random, lambda w: w != one and (w[0] == one[0]) == answer)
    return yes_or_no({"a": one, "b": two}, answer)


KINDS = (
    Kind(
        "letter/first",
        _letter_at(0),
        (
            "Which letter does {word} begin with?",
            'Name the letter at the start of "{word}".',
            "Look at the word {word}. Its first letter is",
            'With which letter would you start spelling "{word}"?',
        ),
        ("{word}: give the opening letter.", 'What letter comes first in "{word}"?'),
    ),
    Kind(
        "letter/last",
        _letter_at(-1),
        (
            "Which letter does {word} end with?",
            'Name the letter at the end of "{word}".',
            "Look at the word {word}. Its last letter is",
            'With which letter would you finish spelling "{word}"?',
        ),
        ("{word}: give the closing letter.", 'What letter comes last in "{word}"?'),
    ),
    Kind(
        "letter/nth",
        _nth,
        (
            "What is the {nth} letter in {word}?",
            'Name the {nth} letter of "{word}".',
            "Spell {word}. Which letter is {nth}?",
            'Tell me only the {nth} letter in the word "{word}".',
        ),
        ("{word}: give the {nth} letter.", 'Find the letter in {nth} place in "{word}".'),
    ),
    Kind(
        "letter/count",
        _count,
        (
            "How many letters does {word} have?",
            'Count the letters of "{word}".',
            'The word "{word}" is spelled with how many letters?',
            "How long is the word {word}, in letters?",
        ),
        ("State the number of letters in {word}.", 'Letters in "{word}": how many?'),
    ),
    Kind(
        "letter/spell",
        _spell,
        (
            "Spell {word} with a hyphen between the letters.",
            'Spell out "{word}" with dashes, like c-u-p.',
            "Put a hyphen between all the letters of {word}.",
            'Split "{word}" into letters joined by hyphens.',
        ),
        ("Break {word} into its letters with dashes.", 'Hyphenate every letter of "{word}".'),
    ),
    Kind(
        "letter/earlier",
        _earlier,
        (
            "In the alphabet, which comes earlier: {a} or {b}?",
            "Which letter is nearer to the start of the alphabet, {a} or {b}?",
            "Reciting the alphabet, do you say {a} or {b} first?",
            'Choose the letter that comes before the other: "{a}" or "{b}".',
        ),
        (
            "{a} and {b}: name the letter that is earlier in the alphabet.",
            'Alphabet question: is it "{a}" or "{b}" that comes sooner?',
        ),
    ),
    Kind(
        "letter/has",
        _has,
        (
            'Is there a letter "{letter}" in {word}? Yes or no?',
            'Do you need the letter {letter} to spell "{word}"? Reply yes or no.',
            'Yes or no: the word {word} contains "{letter}".',
            'Can you find "{letter}" in the word "{word}"? Say yes or no.',
        ),
        (
            'Does "{letter}" appear in {word}? Answer yes or no.',
            'Decide with yes or no: is "{letter}" used in spelling {word}?',
        ),
    ),
    Kind(
        "letter/drop_first",
        _drop_first,
        (),
        (
            'Remove the first letter of "{word}".',
            "Type {word} without its first letter.",
            'What is left of "{word}" when the first letter is gone?',
            "Cut the opening letter off the word {word}.",
        ),
    ),
    Kind(
        "letter/same_first",
        _same_first,
        (),
        (
            "Do {a} and {b} begin with the same letter? Yes or no?",
            'Is the first letter of "{a}" also the first letter of "{b}"? Reply yes or no.',
            "Yes or no: {a} and {b} share their first letter.",
            'Do the words "{a}" and "{b}" start alike? Say yes or no.',
        ),
    ),
)
