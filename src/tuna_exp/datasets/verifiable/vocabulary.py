"""The words and numbers of each split; no word and no number is in both.

Every list is this project's own. Numbers are shared out by their remainder modulo 5, so that steps
of five and ten stay inside a split, and so are the counts and places named in the instructions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain
from random import Random

from tuna_exp.errors import DataError, nearest

_HELD_OUT_REMAINDERS = (0, 3)
ORDINALS = {2: "second", 3: "third", 4: "fourth", 5: "fifth"}


def is_held_out(number: int) -> bool:
    """Say whether a number belongs to the held-out split."""
    return number % 5 in _HELD_OUT_REMAINDERS


@dataclass(frozen=True)
class Category:
    """A kind of thing. `examples` are sentences ending in a member, `more` is only accepted."""

    name: str
    plural: str
    members: tuple[str, ...]
    more: tuple[str, ...]
    examples: tuple[str, ...]
    countable: bool = True

    @cached_property
    def accepted(self) -> frozenset[str]:
        """Every word that counts as a member."""
        return frozenset(self.members + self.more)


@dataclass(frozen=True)
class Words:
    """What one split is made of."""

    categories: tuple[Category, ...]
    opposites: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    names: tuple[str, ...]
    verbs: tuple[str, ...]
    places: tuple[str, ...]
    times: tuple[str, ...]
    letters: str
    counts: tuple[int, ...]
    held_out: bool

    @cached_property
    def things(self) -> tuple[str, ...]:
        """The members of the categories whose members can be counted."""
        return tuple(chain.from_iterable(c.members for c in self.categories if c.countable))

    @cached_property
    def content(self) -> frozenset[str]:
        """Every content word that an instruction may show, in lower case."""
        named = ((*c.members, c.name.split()[-1]) for c in self.categories)
        sides = chain.from_iterable(chain.from_iterable(self.opposites))
        singles = self.names + self.verbs + self.places + self.times
        return frozenset(word.lower() for word in chain(*named, sides, singles))

    def thing(self, random: Random, fits: Callable[[str], object] = bool) -> str:
        """Draw a thing for which `fits` holds; some must."""
        return random.choice([word for word in self.things if fits(word)])

    def some(self, random: Random, count: int) -> list[str]:
        """Draw different things."""
        return random.sample(self.things, count)

    def number(self, random: Random, low: int, high: int, but: Sequence[int] = ()) -> int:
        """Draw one of the split's numbers from low to high that is not in `but`."""
        pool = [n for n in range(low, high + 1) if is_held_out(n) == self.held_out]
        return random.choice([n for n in pool if n not in but])

    def category(self, random: Random, countable: bool = False) -> Category:
        """Draw a category."""
        return random.choice([c for c in self.categories if c.countable or not countable])

    def letter(self, random: Random, fits: Callable[[str], object] = bool) -> str:
        """Draw one of the split's letters for which `fits` holds; some must."""
        return random.choice([letter for letter in self.letters if fits(letter)])

    def sentence(self, random: Random) -> str:
        """Make a sentence of five or six words, without its full stop."""
        name, verb = random.choice(self.names), random.choice(self.verbs)
        nearby = random.choice(("near", "behind", "beside"))
        place = f"{name} {verb} {nearby} the {random.choice(self.places)}"
        return f"{place} {random.choice(self.times)}" if random.random() < 0.5 else place


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _pairs(text: str) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    """Read `word,synonym/opposite,synonym`; only the first of each side is asked about."""
    pairs = (pair.partition("/") for pair in text.split())
    return tuple((tuple(a.split(",")), tuple(b.split(","))) for a, _, b in pairs)


def _category(
    name: str,
    plural: str,
    members: str,
    more: str,
    examples: tuple[str, ...],
    countable: bool = True,
) -> Category:
    return Category(name, plural, _split(members), _split(more), examples, countable)


TRAIN = Words(
    categories=(
        _category(
            "animal",
            "animals",
            "horse tiger rabbit monkey zebra camel donkey spider turtle lizard pigeon parrot eagle "
            "goat wolf fox bear whale shark dolphin elephant lion squirrel otter",
            "cat dog cow pig bird fish mouse rat snake frog duck chicken hen hare bee ant panda "
            "sheep deer giraffe hippo rhino leopard cheetah penguin owl crow swan goose turkey "
            "butterfly kangaroo koala gorilla ape chimpanzee hamster puppy kitten pony moose bat "
            "wolves crocodile alligator rooster seal octopus crab wasp beetle hedgehog raccoon",
            ("The children watched the {}", "We took a picture of the {}"),
        ),
        _category(
            "piece of clothing",
            "pieces of clothing",
            "shirt jacket sweater skirt dress scarf glove sock shoe belt coat hat vest apron "
            "sandal blouse hoodie slipper",
            "pants trousers jeans shorts boots cap scarves t-shirt tie suit blazer cardigan tights "
            "underwear bra robe pajamas gown sneakers mittens uniform leggings",
            ("She washed the {}", "My brother lost his {}"),
        ),
        _category(
            "fruit",
            "fruits",
            "apple banana cherry mango lemon melon grape pear papaya coconut apricot fig "
            "raspberry pineapple strawberry",
            "orange peach plum lime kiwi watermelon blueberry blackberry date cranberry guava "
            "grapefruit tangerine nectarine pomegranate avocado lychee cantaloupe mandarin",
            ("He ate the {}", "I put sugar on the {}"),
        ),
        _category(
            "body part",
            "body parts",
            "elbow shoulder finger ankle knee nose mouth tongue wrist forehead chin neck stomach "
            "eyebrow thumb cheek toe ear",
            "eye arm leg hand foot feet head hair heart lung brain back chest hip lip teeth tooth "
            "skin belly liver kidney bone nail face jaw thigh calf heel palm waist throat",
            ("My friend hurt his {}", "Something touched my {}"),
        ),
        _category(
            "building",
            "buildings",
            "house castle church school hospital library hotel museum bank factory barn palace "
            "tower temple theater",
            "home shop store mosque skyscraper stadium apartment cottage cabin hut mansion garage "
            "cathedral university airport warehouse restaurant cinema monument pyramid mall gym",
            ("We walked past the {}", "My aunt lives behind the {}"),
        ),
        _category(
            "color",
            "colors",
            "red blue green yellow purple pink brown black white gray violet crimson turquoise",
            "grey gold silver beige teal navy maroon indigo magenta cyan scarlet tan cream amber",
            ("My favorite color is {}", "They painted the wall {}"),
            countable=False,
        ),
    ),
    opposites=_pairs(
        "big,large,huge/little,small,tiny happy,glad,joyful/sad,unhappy fast,quick/slow "
        "old/young,new hard/soft,easy wet/dry full/empty clean/dirty rich,wealthy/poor "
        "strong/weak loud,noisy/quiet,silent thick/thin high/low push/pull buy,purchase/sell "
        "love/hate,hatred true/false,untrue good/bad,evil day/night summer/winter "
        "awake/asleep,sleeping remember/forget alive,living/dead tight/loose succeed/fail "
        "expensive,costly/cheap,inexpensive"
    ),
    names=_split(
        "Anna Tom Maria Peter Lucy Sam Emma Jack Nora Paul Helen David Rosa Henry Clara Leo Alice "
        "George Julia Martin Sophie Oscar Grace Simon Ella Victor Mia Frank Carl Eva Hugo Laura "
        "Felix Ruth Adam Irene Louis Sarah Daniel Olga Kevin Tina Brian Monica Eric Diana Steven "
        "Paula Robert Wendy Alan Judy Philip Molly Dennis Karen Edgar Lily Gary Sandra"
    ),
    verbs=_split("walked ran cooked slept smiled danced waited worked rested played"),
    places=_split("garden forest beach market kitchen river village park"),
    times=("today", "yesterday"),
    letters="acdeglmopstw",
    counts=(2, 4),
    held_out=False,
)

HELD_OUT = Words(
    categories=(
        _category(
            "vehicle",
            "vehicles",
            "car bus truck bicycle boat ship airplane helicopter tractor scooter motorcycle taxi "
            "van canoe tram",
            "train bike plane motorbike subway jeep ferry yacht ambulance wagon rocket cart sled "
            "lorry sedan suv minivan submarine jet limousine trolley automobile kayak moped",
            ("The family bought the {}", "Our uncle cleaned the {}"),
        ),
        _category(
            "tool",
            "tools",
            "hammer shovel wrench drill ladder rake chisel screwdriver axe hoe crowbar mallet",
            "saw pliers knife scissors spade pickaxe level file ruler sander clamp tape trowel "
            "spanner chainsaw screw sickle tweezers",
            ("The neighbor borrowed the {}", "Please bring me the {}"),
        ),
        _category(
            "vegetable",
            "vegetables",
            "carrot potato onion cabbage pumpkin radish turnip cucumber zucchini leek bean "
            "eggplant",
            "tomato lettuce spinach celery broccoli pepper pea corn garlic cauliflower asparagus "
            "beet kale squash yam parsnip artichoke okra mushroom sprout",
            ("The cook sliced the {}", "Nobody wanted the {}"),
        ),
        _category(
            "musical instrument",
            "musical instruments",
            "guitar piano violin drum flute trumpet harp cello banjo clarinet trombone accordion "
            "tuba ukulele",
            "saxophone viola organ bass harmonica keyboard tambourine xylophone oboe bassoon "
            "recorder mandolin bagpipes cymbal lute horn fiddle synthesizer",
            ("The band needs the {}", "My sister plays the {}"),
        ),
        _category(
            "piece of furniture",
            "pieces of furniture",
            "chair table sofa desk bed stool bench dresser wardrobe couch cupboard cabinet",
            "shelf bookshelf bookcase armchair ottoman nightstand drawer mattress crib lamp "
            "closet recliner rug mirror",
            ("They moved the {}", "There is dust on the {}"),
        ),
        _category(
            "job",
            "jobs",
            "doctor teacher farmer baker nurse pilot lawyer dentist plumber painter waiter singer",
            "driver judge cook chef engineer actor writer artist soldier carpenter firefighter "
            "electrician policeman scientist manager accountant programmer mechanic librarian "
            "cashier clerk butcher tailor gardener secretary banker journalist",
            ("The reporter met the {}", "You should ask the {}"),
        ),
    ),
    opposites=_pairs(
        "hot,warm/cold,cool tall/short increase/decrease early/late "
        "light,bright/dark,heavy win/lose laugh/cry deep/shallow safe/dangerous,unsafe "
        "smooth/rough wide,broad/narrow accept/refuse,reject,decline north/south "
        "guilty/innocent always/never polite/rude,impolite float/sink "
        "war/peace"
    ),
    names=_split(
        "Ben Kate Noah Zoe Max Ivy Luke Amy Owen Jane Ryan Ruby Seth Fiona Dylan Hazel Joel Naomi "
        "Ian Beth Toby Stella Neil Vera Cody Bella Miles Iris Ross Dean Tessa Glenn Heidi Kyle "
        "Mabel Chloe Trevor Nadia Wayne Gloria Howard Penny"
    ),
    verbs=_split("jumped sang whispered shouted knelt climbed sat hid"),
    places=_split("station mountain bridge island cellar meadow office street"),
    times=("tonight", "later"),
    letters="bfhiknruvy",
    counts=(3, 5),
    held_out=True,
)


@cache
def category_named(name: str) -> Category:
    """Return a category by its name; raise DataError where there is none."""
    table = {c.name: c for c in TRAIN.categories + HELD_OUT.categories}
    if name not in table:
        raise DataError(
            f"check argument 'category' is {name!r}; allowed: {', '.join(sorted(table))}."
            f"{nearest(name, table)} Cure: generate the dataset again, or name one of them."
        )
    return table[name]
