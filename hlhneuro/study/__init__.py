"""What is on disk: a BIDS study, its facts, and where results go."""
