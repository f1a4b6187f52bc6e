"""What belongs together in LMentry: task files, subsets, and the tasks that robustness compares.

Groups are those of the published analysis (facts in sections 1 and 3 of the scoring document).
"""

from collections.abc import Mapping, Sequence

from tuna_exp.evaluation.lmentry.scoring import SCORERS

TEMPLATES = 3
# Prompts of all 41 published files.
PUBLISHED = 110_703
CORE: Sequence[str] = tuple(SCORERS)

# Tasks with two arguments to choose from: accuracy where the first, where the second is right.
ARGUMENT_ORDER: Sequence[str] = (
    "more_letters", "less_letters", "first_alphabetically", "rhyming_word", "homophones",
    "bigger_number", "smaller_number",
)  # fmt: skip

# Subset files of a task, told apart by what their arguments are like.
ARGUMENT_CONTENT: Mapping[str, Sequence[str]] = {
    "first_alphabetically": (
        "far_first_letter", "different_first_letter", "consecutive_first_letter",
        "same_first_letter",
    ),
    "all_words_from_category": ("0_distractors", "1_distractors", "2_distractors"),
    "any_words_from_category": ("5_distractors", "4_distractors", "3_distractors"),
    "rhyming_word": ("orthographically_similar", "orthographically_different"),
    "more_letters": ("length_diff_3plus", "length_diff_1"),
    "less_letters": ("length_diff_3plus", "length_diff_1"),
}  # fmt: skip

ADJACENT: Sequence[tuple[str, str]] = (
    # by definition
    ("bigger_number", "smaller_number"),
    ("more_letters", "less_letters"),
    ("word_after", "word_before"),
    ("most_associated_word", "least_associated_word"),
    ("any_words_from_category", "all_words_from_category"),
    # by explicit negation
    ("sentence_containing", "sentence_not_containing"),
    ("word_containing", "word_not_containing"),
    # words against characters
    ("starts_with_word", "starts_with_letter"),
    ("ends_with_word", "ends_with_letter"),
    ("sentence_containing", "word_containing"),
    ("sentence_not_containing", "word_not_containing"),
    ("first_word", "first_letter"),
    ("last_word", "last_letter"),
    # first against last
    ("starts_with_word", "ends_with_word"),
    ("starts_with_letter", "ends_with_letter"),
    ("first_word", "last_word"),
    ("first_letter", "last_letter"),
)

# Every subset file, with the task whose scorer it has.
SUBSETS: Mapping[str, str] = {
    f"{task}_{subset}": task for task, subsets in ARGUMENT_CONTENT.items() for subset in subsets
}
FILES: Mapping[str, str] = {**{task: task for task in CORE}, **SUBSETS}
