"""What every request meets before and after its route: ids, limits, JSON, representations, problems, the log."""
