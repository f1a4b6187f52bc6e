"""Do people rank as the ranker does? A blinded study: what to ask, the page, and the agreement."""
