"""What every field of the configuration can be, and the check of a whole configuration."""
