"""Disturb real runs in every way that a machine can, end them, and hold them against calm ones.

`kills` kills one run over and over (`make chaos-demo`); `__main__` plays rounds, each with one
fault of `faults` (`make chaos`); `ending` says in what two runs may not differ; `runs` starts them.
"""
