"""foretaste: from raw interaction logs to recommendations that people see."""

__version__ = "0.1.0"
