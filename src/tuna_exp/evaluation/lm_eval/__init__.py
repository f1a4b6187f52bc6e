"""lm-evaluation-harness (Gao et al.): any of its tasks, or a YAML task of one's own."""
