"""What is remembered of runs of `document`: how each was called, how far it came, how it ended."""
