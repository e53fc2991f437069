"""Many runs: the cells of a grid, the jobs that train them, plan and status."""
