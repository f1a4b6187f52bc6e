"""Does ranking feedback make an instruction-tuned model better, which kind, and at what cost?"""

__version__ = "0.1.0"
