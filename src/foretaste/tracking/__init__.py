"""Where experiments are found again: MLflow, or nothing."""
