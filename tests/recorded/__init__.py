"""Histories recorded from AWS Step Functions, replayed on our engine and compared event by event.

``python -m tests.recorded DIR`` where DIR holds ``definitions/*.json5`` and ``histories/*.json`` (snapshot files of
LocalStack's tests, whose ``recorded-content`` came from AWS).
"""
