"""What the interactions are: read, validated, prepared, split."""
