"""What `inkfold up` needs on a bare machine: a PostgreSQL, a Redis, and the care of all its programs."""
