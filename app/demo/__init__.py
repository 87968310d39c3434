"""A made-up blog to try the system on; only `inkfold demo` uses it."""
