"""What is wrong with a ranked dataset, before anything is trained on it."""
