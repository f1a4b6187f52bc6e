"""Guard rails: what a training is watched for, and what is done when it leaves the road."""
