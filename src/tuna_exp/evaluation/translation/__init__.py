"""Translation: BLEU and chrF over a corpus."""
