"""Files for Hydra: `hydra.searchpath=[pkg://charrnn_example.conf]`."""
