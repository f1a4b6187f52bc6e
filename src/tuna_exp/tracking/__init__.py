"""Weights & Biases beside CSV and TensorBoard: one W&B run per stage, one per method compared.

Not one per run of ours: W&B draws lineage from runs that use and log artifacts, so a single run
that logged everything would be a star and no chain. A stage is done once, whichever of several runs
or jobs does it, and its W&B run is named by the digest of the stage: it is there once, a killed
stage goes on in it, and nothing of two stages can mix.
"""
