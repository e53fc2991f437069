"""What a run is, its folder on disk, and who may write to it."""
