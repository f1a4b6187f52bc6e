"""Swappable ranking-loss callbacks, their formulas and the sequence likelihood they score with."""
