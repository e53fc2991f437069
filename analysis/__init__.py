"""From the runs' tables to figures. Nothing here reads TensorBoard's event files."""
