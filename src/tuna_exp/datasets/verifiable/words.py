"""Tasks about single words: write one of a given shape, change one, compare two."""

from random import Random

from tuna_exp.datasets.verifiable.closed_checks import Choice, Quoted, Sequence, Text
from tuna_exp.datasets.verifiable.kinds import Kind, Made, Maker, with_article, yes_or_no
from tuna_exp.datasets.verifiable.open_checks import Word
from tuna_exp.datasets.verifiable.reading import in_words
from tuna_exp.datasets.verifiable.vocabulary import Words

_IRREGULAR = {"wolf": "wolves", "scarf": "scarves", "potato": "potatoes", "mango": "mangoes"}


def plural(noun: str) -> str:
    """Return the plural of one of this package's nouns."""
    if noun in _IRREGULAR:
        return _IRREGULAR[noun]
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")


def _starts_with(random: Random, words: Words) -> Made:
    word = words.thing(random, lambda w: w[0] in words.letters)
    start = word[: random.randint(1, 2)]
    return Made({"start": start}, word.capitalize(), Word(starts=start))


def _ends_with(random: Random, words: Words) -> Made:
    word = words.thing(random, lambda w: w[-1] in words.letters)
    end = word[-random.randint(1, 2) :]
    return Made({"end": end}, word.capitalize(), Word(ends=end))


def _has_letters(random: Random, words: Words) -> Made:
    word = words.thing(random, lambda w: len(set(w) & set(words.letters)) > 1)
    one, two = random.sample(sorted(set(word) & set(words.letters)), 2)
    return Made({"a": one, "b": two}, word.capitalize(), Word(letters=(one, two)))


def _longer_than(random: Random, words: Words) -> Made:
    word = words.thing(random, lambda w: len(w) < 8)
    longer = words.thing(random, lambda w: len(w) > len(word))
    return Made({"word": word}, longer.capitalize(), Word(above=len(word)))


def _upper(random: Random, words: Words) -> Made:
    word = words.thing(random)
    return Made({"word": word}, word.upper(), Text(text=word.upper(), cased=True))


def _lower(random: Random, words: Words) -> Made:
    word = words.thing(random)
    return Made({"word": word.upper()}, word, Text(text=word, cased=True))


def _repeat(random: Random, words: Words) -> Made:
    word, count = words.thing(random), random.choice(words.counts)
    said = [word] * count
    return Made({"word": word, "n": in_words(count)}, " ".join(said), Sequence(items=tuple(said)))


def _quote(random: Random, words: Words) -> Made:
    word = words.thing(random)
    return Made({"word": word}, f'"{word}"', Quoted(word=word))


def _by_length(longest: bool) -> Maker:
    def make(random: Random, words: Words) -> Made:
        one = words.thing(random)
        two = words.thing(random, lambda w: abs(len(w) - len(one)) > 1)
        right, wrong = sorted((one, two), key=len, reverse=longest)
        word = "longer" if longest else "shorter"
        reference = f"{right.capitalize()} is {word}."
        return Made({"a": one, "b": two}, reference, Choice(answers=(right,), wrong=(wrong,)))

    return make


def _plural(random: Random, words: Words) -> Made:
    noun = words.thing(random)
    right = plural(noun)
    return Made({"word": noun}, right.capitalize(), Choice(answers=(right,), echo=(noun,)))


def _opposite(random: Random, words: Words) -> Made:
    (word, *_), answers = random.sample(random.choice(words.opposites), 2)
    expects = Choice(answers=answers, echo=(word,))
    return Made({"word": word}, answers[0].capitalize(), expects)


def _is_category(random: Random, words: Words) -> Made:
    category = words.category(random)
    answer = random.random() < 0.5
    pool = [w for w in words.things if w not in category.accepted]
    word = random.choice(category.members if answer else pool)
    return yes_or_no({"word": word, "category": with_article(category.name)}, answer)


KINDS = (
    Kind(
        "word/starts_with",
        _starts_with,
        (
            'Name any word beginning with "{start}".',
            'Tell me a word whose spelling starts with "{start}".',
            'I need a word that opens with "{start}". Give only the word.',
            'Say a single word that has "{start}" at its start.',
            "What word comes to mind that starts {start}-?",
        ),
        (
            'Think of a word with "{start}" at the front.',
            'Your word must begin with "{start}". Go.',
            "Finish this to make a word: {start}...",
        ),
    ),
    Kind(
        "word/ends_with",
        _ends_with,
        (
            'Name any word ending in "{end}".',
            'Tell me a word whose spelling finishes with "{end}".',
            'I need a word that closes with "{end}". Give only the word.',
            'Say a single word that has "{end}" at its end.',
            "What word comes to mind that ends -{end}?",
        ),
        (
            'Think of a word with "{end}" at the back.',
            'Your word must end with "{end}". Go.',
            "Which word do you know that is spelled ...{end} at its end?",
        ),
    ),
    Kind(
        "word/has_letters",
        _has_letters,
        (
            "Name any word that is spelled with both {a} and {b}.",
            "Give me a word that uses the letters {a} and {b}.",
            "Tell me a word with {a} and {b} somewhere in it.",
            'Which word do you know that includes "{a}" and also "{b}"?',
        ),
        ("Find a word holding {a} as well as {b}.", 'I want a word made with "{a}" and "{b}".'),
    ),
    Kind(
        "word/longer_than",
        _longer_than,
        (
            'Name a word that is longer than "{word}".',
            'Tell me a word with more letters than "{word}".',
            "Give me any word that takes more letters to spell than {word} does.",
            'The word "{word}" is too brief. Offer a longer word.',
        ),
        ('Beat the length of "{word}" with your own word.', "Say a word longer than {word}."),
    ),
    Kind(
        "word/upper",
        _upper,
        (
            "Put {word} in capital letters.",
            'Change "{word}" to all capitals.',
            'How does "{word}" look in uppercase?',
            "Type the word {word} with every letter as a capital.",
        ),
        ('Capitalize each letter of "{word}".', "Shout this word in all caps: {word}"),
    ),
    Kind(
        "word/repeat",
        _repeat,
        (
            'Say "{word}" {n} times.',
            "Type the word {word} {n} times in a row.",
            "Repeat this word so that it appears {n} times: {word}",
            'I want to read "{word}" exactly {n} times.',
        ),
        ('Echo "{word}" {n} times over.', "Give me {n} copies of the word {word}."),
    ),
    Kind(
        "word/quote",
        _quote,
        (
            "Put quotation marks around this word: {word}",
            "Type the word {word} inside quotation marks.",
            "Quote the word {word}.",
            "Surround {word} with quotes.",
        ),
        ("Enclose {word} in double quotes.", "Show {word} between quotation marks."),
    ),
    Kind(
        "word/longer",
        _by_length(longest=True),
        (
            "{a} or {b}: which has more letters?",
            'Choose the longer word: "{a}" or "{b}".',
            "Compare {a} with {b}. Name the longer word.",
            'Between "{a}" and "{b}", which takes more letters to spell?',
        ),
        ("Say which is longer to spell: {a} / {b}", "Pick the lengthier word, {a} or {b}."),
    ),
    Kind(
        "word/plural",
        _plural,
        (
            'Give the plural of "{word}".',
            "What do you call more than one {word}?",
            "Make this noun plural: {word}",
            'Turn "{word}" into its plural form.',
        ),
        ("Change {word} from singular to plural.", "Write the word for several of these: {word}"),
    ),
    Kind(
        "word/opposite",
        _opposite,
        (
            'Give the opposite of "{word}".',
            'Which word means the opposite of "{word}"?',
            "Name an antonym for {word}.",
            "Complete this with one word: the opposite of {word} is",
        ),
        ('State the antonym of "{word}".', "What is {word} the opposite of?"),
    ),
    Kind(
        "word/is_category",
        _is_category,
        (
            'Is "{word}" {category}? Yes or no?',
            'Does the word "{word}" name {category}? Reply yes or no.',
            "Yes or no: {word} is the name of {category}.",
            'Would you call "{word}" {category}? Say yes or no.',
        ),
        (
            'Decide with yes or no whether "{word}" is {category}.',
            'Does "{word}" stand for {category}? Answer yes or no.',
        ),
    ),
    Kind(
        "word/shorter",
        _by_length(longest=False),
        (),
        (
            "{a} or {b}: which has fewer letters?",
            'Choose the shorter word: "{a}" or "{b}".',
            "Compare {a} with {b}. Name the shorter word.",
            'Between "{a}" and "{b}", which takes fewer letters to spell?',
        ),
    ),
    Kind(
        "word/lower",
        _lower,
        (),
        (
            "Put {word} in lowercase letters.",
            'Change "{word}" to lower case.',
            'How does "{word}" look without any capitals?',
            "Type the word {word} with no capital letter.",
        ),
    ),
)
