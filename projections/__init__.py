"""The read side's making: an engine that folds events, the projections it folds, and the worker that runs it."""
