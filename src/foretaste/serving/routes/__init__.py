"""The calls of the service. They translate between HTTP and what answers, and nothing else."""
