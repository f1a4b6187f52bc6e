"""Who answers a prompt with text and log-probabilities."""
