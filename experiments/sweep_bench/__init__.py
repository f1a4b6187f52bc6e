"""How long a sweep of twelve runs takes on two cores, with one job killed and one that fails."""
