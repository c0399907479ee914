"""The workflow on one machine: an interpreter of the Amazon States Language (JSONPath), journalled in SQLite.

Importing this package is cheap: ``tokens.TokenClient`` is all that a worker process needs of it.
"""
