"""How the service is watched: figures of the log, estimates of other policies, drift."""
