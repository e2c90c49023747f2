"""From scanner images to comparable images."""
