"""The engine, and the HTTP service around it."""
