"""Super-NaturalInstructions: tasks, prompts, scores and figures by the protocol of Tk-Instruct."""

from tuna_exp.evaluation.superni.benchmark import SuperNIBenchmark

__all__ = ["SuperNIBenchmark"]
