"""Readers that turn a file, a Hub dataset or a generator into `Instruction` records."""
