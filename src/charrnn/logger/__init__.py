"""Where the measurements of a run are written: loggers of Lightning's, and TensorBoard's events."""
