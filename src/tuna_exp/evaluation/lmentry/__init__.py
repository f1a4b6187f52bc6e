"""LMentry (Efrat, Honovich, Levy 2022, arXiv 2211.02069): 25 elementary language tasks."""
