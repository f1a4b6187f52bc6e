"""Tasks about sentences: write one of a given form, read or rewrite a given one."""

from random import Random

from tuna_exp.datasets.verifiable.closed_checks import Choice, Sequence, Text
from tuna_exp.datasets.verifiable.kinds import Kind, Made, Maker, with_article
from tuna_exp.datasets.verifiable.open_checks import Sentence
from tuna_exp.datasets.verifiable.reading import in_words
from tuna_exp.datasets.verifiable.vocabulary import Words

_PHRASES = {
    2: "that {}",
    3: "look, that {}",
    4: "I saw that {}",
    5: "I really liked that {}",
}


def _example(random: Random, words: Words) -> tuple[str, str]:
    category = words.category(random)
    word = random.choice(category.members)
    return word, random.choice(category.examples).format(word)


def _contains(random: Random, words: Words) -> Made:
    word, example = _example(random, words)
    return Made({"word": word}, f"{example}.", Sentence(has=(word,)))


def _ends_with(random: Random, words: Words) -> Made:
    word, example = _example(random, words)
    return Made({"word": word}, f"{example}.", Sentence(ends=word))


def _exclaims(random: Random, words: Words) -> Made:
    word, example = _example(random, words)
    return Made({"word": word}, f"{example}!", Sentence(has=(word,), mark="!"))


def _asks(random: Random, words: Words) -> Made:
    word = words.thing(random)
    reference = f"Where can I find {with_article(word)}?"
    return Made({"word": word}, reference, Sentence(has=(word,), mark="?"))


def _starts_with(random: Random, words: Words) -> Made:
    sentence = words.sentence(random)
    name = sentence.split()[0]
    return Made({"word": name}, f"{sentence}.", Sentence(starts=name.lower()))


def _contains_both(random: Random, words: Words) -> Made:
    one, two = words.some(random, 2)
    reference = f"I thought about the {one} and the {two}."
    return Made({"a": one, "b": two}, reference, Sentence(has=(one, two)))


def _without_letter(random: Random, words: Words) -> Made:
    word, example = _example(random, words)
    letter = words.letter(random, lambda c: c not in example.lower())
    slots = {"word": word, "letter": letter}
    return Made(slots, f"{example}.", Sentence(has=(word,), lacks=letter))


def _word_count(random: Random, words: Words) -> Made:
    word, count = words.thing(random), random.choice(words.counts)
    phrase = _PHRASES[count].format(word)
    reference = f"{phrase[0].upper()}{phrase[1:]}."
    slots = {"word": word, "n": in_words(count)}
    return Made(slots, reference, Sentence(has=(word,), count=count))


def _word_at(place: int) -> Maker:
    def make(random: Random, words: Words) -> Made:
        sentence = words.sentence(random)
        tokens = sentence.lower().split()
        wrong = tuple(token for token in tokens if token not in (tokens[place], "the"))
        expects = Choice(answers=(tokens[place],), wrong=wrong)
        return Made({"sentence": f"{sentence}."}, tokens[place].capitalize(), expects)

    return make


def _first_words(random: Random, words: Words) -> Made:
    sentence, count = words.sentence(random), random.choice(words.counts)
    chosen = sentence.split()[:count]
    number = in_words(count)
    slots = {"sentence": f"{sentence}.", "n": number}
    return Made(slots, " ".join(chosen), Sequence(items=tuple(chosen), echo=(number,)))


def _last_words(random: Random, words: Words) -> Made:
    sentence, count = words.sentence(random), min(words.counts)
    chosen = sentence.split()[-count:]
    number = in_words(count)
    slots = {"sentence": f"{sentence}.", "n": number}
    return Made(slots, " ".join(chosen), Sequence(items=tuple(chosen), echo=(number,)))


def _in_case(upper: bool) -> Maker:
    def make(random: Random, words: Words) -> Made:
        sentence = f"{words.sentence(random)}."
        right = sentence.upper() if upper else sentence.lower()
        given = sentence if upper else sentence.upper()
        return Made({}, right, Text(text=right, cased=True), input=given)

    return make


def _replace(random: Random, words: Words) -> Made:
    sentence = words.sentence(random)
    old, new = sentence.split()[0], random.choice(words.names)
    new = new if new != old else words.thing(random).capitalize()
    right = f"{sentence.replace(old, new, 1)}."
    slots = {"sentence": f"{sentence}.", "old": old, "new": new}
    return Made(slots, right, Text(text=right, echo=(old.lower(),)))


KINDS = (
    Kind(
        "sentence/contains",
        _contains,
        (
            'Use "{word}" in a sentence.',
            "Make up a sentence with the word {word} in it.",
            "Say something in a full sentence that mentions {word}.",
            'I would like a sentence that uses the word "{word}".',
        ),
        ("Compose a sentence that mentions {word}.", 'Build a sentence around "{word}".'),
    ),
    Kind(
        "sentence/starts_with",
        _starts_with,
        (
            "Make a sentence whose first word is {word}.",
            'Begin a sentence with "{word}" and finish it.',
            'Tell me something in a sentence that opens with "{word}".',
            "Continue into a full sentence: {word}",
        ),
        ("Let {word} be the first word of your sentence.", "Compose a sentence; open it: {word}"),
    ),
    Kind(
        "sentence/ends_with",
        _ends_with,
        (
            "Make a sentence whose last word is {word}.",
            'Say a sentence that finishes with "{word}".',
            'Tell me something in a sentence that closes with "{word}".',
            'I would like a sentence with "{word}" as its final word.',
        ),
        ("Let {word} be the last word of your sentence.", "Compose a sentence; close it: {word}"),
    ),
    Kind(
        "sentence/contains_both",
        _contains_both,
        (
            'Use both "{a}" and "{b}" in a sentence.',
            "Make up a sentence with the words {a} and {b} in it.",
            "Mention {a} together with {b} in a sentence.",
            "Tell me in a sentence about the {a} and the {b}.",
        ),
        ("Compose a sentence around {a} and {b}.", 'Let a sentence include "{a}" plus "{b}".'),
    ),
    Kind(
        "sentence/without_letter",
        _without_letter,
        (
            'Use {word} in a sentence that has no letter "{letter}".',
            'Make a sentence about {word}, but do not use the letter "{letter}".',
            'Mention {word} in a sentence. The letter "{letter}" is forbidden.',
            'Avoid the letter "{letter}" in a sentence that uses {word}.',
        ),
        (
            'Compose a sentence naming {word}, free of the letter "{letter}".',
            'Include {word} but no "{letter}" in your sentence.',
        ),
    ),
    Kind(
        "sentence/exclaims",
        _exclaims,
        (
            "Make a sentence about {word} that ends with an exclamation mark.",
            'Use "{word}" in an exclamation. End it with !',
            'Say something exciting with the word "{word}" and put ! at the end.',
            "Exclaim something that mentions {word}!",
        ),
        ("Finish a sentence naming {word} with !", "Compose an excited sentence with {word}!"),
    ),
    Kind(
        "sentence/asks",
        _asks,
        (
            'Ask a question that uses the word "{word}".',
            "Make up a question about {word}.",
            'What could someone ask with the word "{word}"? Give the question only.',
            "Turn {word} into a question that ends with a question mark.",
        ),
        ("Compose a question naming {word}.", 'Let your question include "{word}".'),
    ),
    Kind(
        "sentence/word_count",
        _word_count,
        (
            'Say something in exactly {n} words, including "{word}".',
            "Use {word} in a phrase of exactly {n} words.",
            "Mention {word} in {n} words, no more and no less.",
            'I want {n} words from you, and "{word}" must be among them.',
        ),
        ("Compose {n} words with {word} among them.", 'Give just {n} words that include "{word}".'),
    ),
    Kind(
        "sentence/first_word",
        _word_at(0),
        (
            "{sentence} What is the first word of that sentence?",
            'Which word starts this sentence? "{sentence}"',
            "Read this and say its first word: {sentence}",
            'Name the word at the start of "{sentence}"',
        ),
        ("Copy only the first word: {sentence}", 'The opening word of "{sentence}" is'),
    ),
    Kind(
        "sentence/last_word",
        _word_at(-1),
        (
            "{sentence} What is the last word of that sentence?",
            'Which word ends this sentence? "{sentence}"',
            "Read this and say its last word: {sentence}",
            'Name the word at the end of "{sentence}"',
        ),
        ("Copy only the last word: {sentence}", 'The final word of "{sentence}" is'),
    ),
    Kind(
        "sentence/first_words",
        _first_words,
        (
            "Copy the first {n} words of this: {sentence}",
            "{sentence} Say only the first {n} words of that sentence.",
            'Which {n} words start this sentence? "{sentence}"',
            "Shorten this to its first {n} words: {sentence}",
        ),
        ("Keep just the opening {n} words: {sentence}", "Quote the first {n} words of: {sentence}"),
    ),
    Kind(
        "sentence/upper",
        _in_case(upper=True),
        (
            "Rewrite this in capital letters.",
            "Change the sentence below to uppercase.",
            "Put every letter of this sentence in capitals.",
            "Type this sentence again, all in capitals.",
        ),
        ("Shout this sentence in all caps.", "Capitalize every letter below."),
    ),
    Kind(
        "sentence/replace",
        _replace,
        (
            "Replace {old} with {new}: {sentence}",
            "Say this again with {new} instead of {old}: {sentence}",
            'Change "{old}" to "{new}" in this sentence: {sentence}',
            "{sentence} Rewrite that sentence so that {old} becomes {new}.",
        ),
        ("Swap in {new} for {old}: {sentence}", "Put {new} where {old} stands: {sentence}"),
    ),
    Kind(
        "sentence/lower",
        _in_case(upper=False),
        (),
        (
            "Rewrite this in lowercase letters.",
            "Change the sentence below to lowercase.",
            "Put every letter of this sentence in lower case.",
            "Type this sentence again without capitals.",
        ),
    ),
    Kind(
        "sentence/last_words",
        _last_words,
        (),
        (
            "Copy the last {n} words of this: {sentence}",
            "{sentence} Say only the last {n} words of that sentence.",
            'Which {n} words end this sentence? "{sentence}"',
            "Keep just the closing {n} words: {sentence}",
        ),
    ),
)
