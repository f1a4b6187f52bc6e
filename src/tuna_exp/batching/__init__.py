"""From ranked examples to batches: tokens, layouts (padded, shared prompt), the order of training."""
