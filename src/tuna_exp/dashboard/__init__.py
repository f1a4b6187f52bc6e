"""Dashboards: a W&B workspace and report for those who are online, a page of its own for all.

Why a page of our own. What exists was looked at for the list that a reader of an ablation needs
(runs with the reason they failed, curves and differences with intervals over seeds, a diff of two
configs, two methods' answers to one item side by side, one file to send to somebody):
- trackio serves from a database that only its own logger fills; no intervals over seeds, no diff
  of configs, no scored answers side by side, no single file.
- aim has curves grouped with intervals and parallel coordinates, but wants runs logged into its own
  store (a server of 390 MB installed), shows texts of one sequence, and writes no file.
- TensorBoard's HParams has parallel coordinates, and needs its own event files; no diff, no paired
  texts; 180 MB.
- W&B's LEET reads offline runs in a terminal: curves only, neither tables nor intervals.
None knows what a run folder, a reused artifact or a failed job is. So the page reads those
themselves, and draws with Vega-Lite, which the reports of this project carry already.
"""
