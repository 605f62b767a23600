"""The report of a run: made so that someone who was not there can judge the result."""

from foretaste.evaluation.report.compose import compose
from foretaste.evaluation.report.contents import ModelResult, ReportInput
from foretaste.evaluation.report.document import Document
from foretaste.evaluation.report.html import render_html
from foretaste.evaluation.report.markdown import render_markdown

__all__ = [
    "Document",
    "ModelResult",
    "ReportInput",
    "compose",
    "render_html",
    "render_markdown",
]
