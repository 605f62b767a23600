"""What the metrics mean, and how to get the same result."""

import yaml

from foretaste.evaluation.metrics import METRICS, name_of
from foretaste.evaluation.metrics import definitions as metric_definitions
from foretaste.evaluation.report.contents import ReportInput
from foretaste.evaluation.report.document import Bullets, Folded, Listing, Paragraph, Section, code, line, strong

_PARAGRAPH = "\n\n"


def definitions(report: ReportInput) -> Section:
    """The first sentence of each metric that was measured; `foretaste evaluate --explain` tells the rest."""
    test = report.chosen.test
    names = dict.fromkeys(name_of(metric) for metric in (*test.values, *test.catalogue))
    items = tuple(
        line(strong(METRICS[name].title), f": {definition.partition(_PARAGRAPH)[0]}")
        for name, definition in metric_definitions(names).items()
    )
    return Section(title="Definitions", blocks=(Bullets(items=items),))


def reproduce(report: ReportInput) -> Section:
    """One command, the data and libraries it was run with, and the resolved config."""
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    config = yaml.safe_dump(report.config, sort_keys=False, allow_unicode=True)
    data = line(
        "Data: SHA-256 of the events ", code(report.dataset.interactions.fingerprint), f". Libraries: {versions}."
    )
    return Section(
        title="Reproduce",
        blocks=(
            Listing(text=report.command),
            Paragraph(text=data),
            Folded(title="Resolved config", blocks=(Listing(text=config, language="yaml"),)),
        ),
    )
