"""What Hydra finds here: sweepers and launchers that this package brings along."""
