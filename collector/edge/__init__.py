"""The rim towards callers: HTTP in, HTTP out. Knows nothing of destinations."""
