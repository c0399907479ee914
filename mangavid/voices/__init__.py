"""Voices: text to speech with word times, one file per engine, and what they share.

``numerals`` and ``spoken`` turn written Vietnamese into the words that are said, ``sound`` turns what an engine
delivers into the WAV the renderer takes.
"""
