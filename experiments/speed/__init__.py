"""How fast is a training step on ranked responses, and sampling them: measured, not claimed.

    python -m experiments.speed quick|training|growth|sampling|all

`cases` says what is measured and `lengths` where the batches come from; `released` is the form
that everything is compared with and `ours` the one place that knows the product's functions;
`worker` does the steps in a process of its own and `coordinator` takes turns between workers;
`results`, `table` and `plot` make of it what is shown. README.md says what a column means.
"""
