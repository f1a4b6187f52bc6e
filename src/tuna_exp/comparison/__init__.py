"""From many runs to one answer: statistics, tables, plots, an offline report and tracking."""
