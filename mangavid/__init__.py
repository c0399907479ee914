"""mangavid: manga chapters in, narrated videos out."""
