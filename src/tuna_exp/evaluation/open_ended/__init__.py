"""Open-ended prompts: answers without a key, compared in pairs by a judge."""
