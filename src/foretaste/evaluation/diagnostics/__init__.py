"""What a model is like inside: its vectors, its scores and its lists, beside what is known of the items."""

from foretaste.evaluation.diagnostics.config import DiagnosticsConfig
from foretaste.evaluation.diagnostics.diagnose import Diagnosis, Examination

__all__ = ["Diagnosis", "DiagnosticsConfig", "Examination"]
