"""From ranked examples to batches: tokens, layouts (padded, shared prompt), order of training."""
