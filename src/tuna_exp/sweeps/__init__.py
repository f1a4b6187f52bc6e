"""Sweeps: many jobs from one command, each done once, whatever dies on the way.

What a job came to lies in its folder, so that jobs may run in other processes and on other
machines; the command reads it there. `hydra_plugins.tuna_exp` holds what Hydra calls.
"""
