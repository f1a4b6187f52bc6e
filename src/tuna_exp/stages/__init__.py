"""One short function per stage: sample, rank, train, evaluate, compare."""
