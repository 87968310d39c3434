"""The schema, as aerich migrations reviewed by hand."""
