"""Writers: who writes the narration, one file per provider, and what they share.

``offline`` needs no network: a sidecar, else the bubbles (``ocr``), else ``neutral`` lines.
"""
