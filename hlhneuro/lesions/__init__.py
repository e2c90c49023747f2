"""From comparable images to what changed."""
