"""From raw FIDs to a named pattern."""
