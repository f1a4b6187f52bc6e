"""LightningModules: SFT, Tuna-p and Tuna-c."""
