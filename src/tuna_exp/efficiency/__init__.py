"""What a stage takes besides time and tokens: arithmetic, memory and energy."""
