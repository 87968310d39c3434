"""The fast lane: what is read most, answered ahead of FastAPI, which documents it and answers it too."""
