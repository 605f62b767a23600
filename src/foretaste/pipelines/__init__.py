"""Straight-line flows from config to result."""
