"""The recipes, to be read beside the paper. A recipe names its stages; equal stages are done once.

A dataset that was published with its ranking brings the first ranking of a recipe along. The first
four are the paper's; the others ask what its order of stages, and its ranking term, are good for.
"""

from tuna_exp.lab import Lab
from tuna_exp.plan import Step


def sft(lab: Lab) -> Step:
    """Fine-tune on the dataset's own responses."""
    return lab.train_sft()


def tuna_p(lab: Lab) -> Step:
    """Tuna-p (section 3.1): the teacher samples, its likelihood ranks, the SFT model learns."""
    ranking = lab.published_ranking() or lab.rank_by_teacher(lab.sample_teacher())
    return lab.train("tuna_p", start=sft(lab), ranking=ranking)


def tuna_c(lab: Lab) -> Step:
    """Tuna-c (section 3.2): the SFT model samples, a ranker reads and orders, that model learns."""
    student = sft(lab)
    ranking = lab.published_ranking() or lab.rank_by_reading(lab.sample_student(student))
    return lab.train("tuna_c", start=student, ranking=ranking)


def tuna(lab: Lab) -> Step:
    """Tuna (section 3.3): the Tuna-p model samples, a ranker reads and orders, it learns on."""
    student = tuna_p(lab)
    ranking = lab.rank_by_reading(lab.sample_student(student))
    return lab.train("tuna_c", start=student, ranking=ranking)


def reverse(lab: Lab) -> Step:
    """Tuna the other way round: the Tuna-c model learns the order of the teacher's likelihood."""
    ranking = lab.published_ranking() or lab.rank_by_teacher(lab.sample_teacher())
    return lab.train("tuna_p", start=tuna_c(lab), ranking=ranking)


def mixed(lab: Lab) -> Step:
    """Both rankings in one training: what is gained by one after the other?"""
    student = sft(lab)
    by_teacher = lab.published_ranking() or lab.rank_by_teacher(lab.sample_teacher())
    by_reading = lab.rank_by_reading(lab.sample_student(student))
    ranking = lab.mix({"by_teacher": by_teacher, "by_reading": by_reading})
    return lab.train("mixed", start=student, ranking=ranking)


def best_of_n(lab: Lab) -> Step:
    """SFT on the best-ranked response of each set: is an order worth more than its first place?"""
    student = sft(lab)
    ranking = lab.published_ranking() or lab.rank_by_reading(lab.sample_student(student))
    return lab.train_best(start=student, ranking=ranking)
