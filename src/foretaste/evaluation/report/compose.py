"""From the outcome of a run to a document: each fact is said in one place, for every format."""

from foretaste.evaluation.report.about_data import data, protocol
from foretaste.evaluation.report.answer import opening
from foretaste.evaluation.report.beyond import beyond_accuracy
from foretaste.evaluation.report.comparison import comparison, warm_users
from foretaste.evaluation.report.contents import ReportInput
from foretaste.evaluation.report.diagnosis import diagnoses
from foretaste.evaluation.report.document import Document
from foretaste.evaluation.report.learning import learning_curves
from foretaste.evaluation.report.off_line_truth import off_line_truth
from foretaste.evaluation.report.people import people
from foretaste.evaluation.report.reproduce import definitions, reproduce
from foretaste.evaluation.report.slices import slices
from foretaste.evaluation.report.windows import windows


def compose(report: ReportInput) -> Document:
    """The answer, and the sections in the order in which a reader asks for them."""
    return Document(
        title=report.run_id,
        opening=opening(report),
        sections=(
            comparison(report),
            windows(report),
            warm_users(report),
            off_line_truth(report),
            slices(report),
            beyond_accuracy(report),
            people(report),
            diagnoses(report),
            learning_curves(report),
            protocol(report),
            data(report),
            definitions(report),
            reproduce(report),
        ),
    )
