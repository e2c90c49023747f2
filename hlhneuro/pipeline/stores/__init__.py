"""Results on disk: what each stage writes, and the way back without loss."""
