"""The report of a run on disk: the document as JSON, and its two renderings."""

from pathlib import Path

from pydantic import ValidationError

from foretaste.errors import ArtifactError, ConfigError
from foretaste.evaluation.report import Document, render_html, render_markdown
from foretaste.evaluation.report.document import Bullets, Paragraph, plain

REPORT_FILE = "report.md"
REPORT_HTML_FILE = "report.html"
DOCUMENT_FILE = "report.json"


def write_report(folder: Path, document: Document) -> None:
    """`report.json`, and `report.md` and `report.html` from it."""
    (folder / DOCUMENT_FILE).write_text(document.model_dump_json() + "\n", encoding="utf-8")
    (folder / REPORT_FILE).write_text(render_markdown(document), encoding="utf-8")
    (folder / REPORT_HTML_FILE).write_text(render_html(document), encoding="utf-8")


def read_document(folder: Path) -> Document:
    """What `write_report` was given.

    Raises:
        ArtifactError: the file is missing, damaged or of another version.
    """
    path = folder / DOCUMENT_FILE
    try:
        return Document.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise ArtifactError(
            f"{folder} has no {DOCUMENT_FILE}, out of which reports are rendered; run its config again: "
            f"foretaste run {folder / 'config.yaml'}"
        ) from None
    except (OSError, ValidationError) as error:
        told = str(error).splitlines()[0]
        raise ArtifactError(
            f"{path} cannot be read ({told}); run its config again: foretaste run {folder / 'config.yaml'}"
        ) from error


def render_to(path: Path, document: Document) -> None:
    """Write a rendering to a file, of the kind that its name ends in.

    Raises:
        ConfigError: the name ends neither in .html nor in .md.
        ArtifactError: the file cannot be written.
    """
    renderers = {".html": render_html, ".md": render_markdown}
    if path.suffix not in renderers:
        raise ConfigError(f"{path}: expected a name that ends in .html or .md, as in report.html.")
    try:
        path.write_text(renderers[path.suffix](document), encoding="utf-8")
    except OSError as error:
        raise ArtifactError(f"{path} cannot be written ({error}); name a file in a folder that exists.") from error


def summary(document: Document) -> list[str]:
    """What stands before the first heading, as plain text; a warning is said to be one."""
    told = []
    for block in document.opening:
        match block:
            case Paragraph():
                told.append(("Warning: " if block.role == "warning" else "") + plain(block.text))
            case Bullets():
                told += [f"- {plain(item)}" for item in block.items]
    return told
