"""Where finished videos go, a file a provider."""
