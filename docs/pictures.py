"""Draw the pictures of the documentation: `python docs/pictures.py`, in a folder that may be written to.

`images/demo.svg` is what `foretaste demo` prints, as a terminal shows it.
"""

import re
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from foretaste.cli.experiments import ConsoleNarrator, show_demo

IMAGES = Path(__file__).parent / "images"


def main() -> None:
    """Run the demo with a console that records."""
    out = Console(record=True, width=132, force_terminal=True, highlight=False, file=tempfile.TemporaryFile("w"))  # noqa: SIM115
    out.print(Text("$ foretaste demo", style="bold"))
    with tempfile.TemporaryDirectory() as folder:
        show_demo(out, ConsoleNarrator(out), Path(folder))
        text = out.export_svg(title="foretaste demo").replace(f"{folder}/", "artifacts/")
    # The picture must not load anything: a page that shows it may have no network.
    text = re.sub(r"@font-face \{.*?\}\s*", "", text, flags=re.DOTALL)
    IMAGES.mkdir(exist_ok=True)
    (IMAGES / "demo.svg").write_text("\n".join(map(str.rstrip, text.splitlines())) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
