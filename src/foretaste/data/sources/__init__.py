"""Readers of raw files, one module per format, all yielding the same `RawTables`."""
