"""Simulated weeks: the people of the built-in world meet real services, and what they do teaches the next model."""
