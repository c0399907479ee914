"""Where chapters come from: one module a provider, each with a class that is a ``mangavid.ports.Source``.

``local`` reads folders and CBZ/ZIP files; ``mangadex`` (with ``mangadex_api`` and ``mangadex_pages``) and
``peppercarrot`` read from the network. ``archive``, ``comicinfo``, ``sidecar`` and ``intake`` are what every provider
shares: whatever the bytes came from, they pass through ``intake`` before anything else sees them. ``remote`` tells
addresses apart; ``asking`` keeps to a server's limits.
"""
