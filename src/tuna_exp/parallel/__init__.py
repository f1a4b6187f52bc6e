"""Training in several processes: who takes part, who leads, how a model is shared out."""
