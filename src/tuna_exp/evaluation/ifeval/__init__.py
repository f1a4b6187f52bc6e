"""IFEval: prompts with constraints that a program can verify (Zhou et al. 2023)."""
