"""How torch models learn: it knows nn.Module, not our models."""
