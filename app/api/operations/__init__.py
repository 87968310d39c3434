"""What those who run Inkfold ask for: health, readiness and metrics."""
