"""`ui` and `dashboard`: what people see in a browser."""

from pathlib import Path
from typing import Annotated

import typer

from foretaste.cli.monitor import ConfigOption, LogOption, SetOption, WindowOption, settings_of
from foretaste.cli.output import DEFAULT_STORE, StoreOption, example, result_console

HostOption = Annotated[str, typer.Option(help="Address to listen on.")]
HeadlessOption = Annotated[bool, typer.Option("--headless", help="Open no browser, as on a server.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        epilog=example(
            "foretaste ui",
            "foretaste ui --api http://127.0.0.1:8000 --port 8502 --headless",
            "foretaste ui --compare-with http://127.0.0.1:8001",
        )
    )(ui)
    app.command(
        epilog=example(
            "foretaste dashboard",
            "foretaste dashboard --config configs/monitoring.yaml --window 7d --port 8501 --headless",
        )
    )(dashboard)


def ui(
    api: Annotated[str, typer.Option("--api", help="Address of a running `foretaste serve`.")] = (
        "http://127.0.0.1:8000"
    ),
    api_key: Annotated[
        str,
        typer.Option(
            "--api-key", envvar="FORETASTE_API_KEY", help="Key of the service, of role write.", show_default=False
        ),
    ] = "",
    compare_with: Annotated[
        str | None, typer.Option("--compare-with", help="Address of a second service, for the page Compare.")
    ] = None,
    timeout_seconds: Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds that an answer may take.")] = 8,
    host: HostOption = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="TCP port.")] = 8502,
    headless: HeadlessOption = False,
) -> None:
    """The web app: recommendations to look at, on top of a running service; Ctrl-C stops it."""
    from foretaste.ui import launch

    launch.check_installed()
    import os

    from foretaste.ui.settings import KEY_VARIABLE, UiSettings

    settings = UiSettings(api=api, compare_with=compare_with or "", timeout_seconds=timeout_seconds)
    settings.check()
    if api_key:
        os.environ[KEY_VARIABLE] = api_key  # not an argument, which others of this machine could read
    script = Path(launch.__file__).with_name("app.py")
    launch.check_free(host, port)
    _tell_address(host, port)
    launch.run(script, settings.arguments(), host, port, headless)


def dashboard(
    config: ConfigOption = None,
    log: LogOption = None,
    window: WindowOption = None,
    overrides: SetOption = None,
    store: StoreOption = DEFAULT_STORE,
    runs: Annotated[Path, typer.Option(help="Folder of the runs, for the data of the last training.")] = Path(
        "artifacts/runs"
    ),
    host: HostOption = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="TCP port.")] = 8501,
    headless: HeadlessOption = False,
) -> None:
    """How the service does: traffic, outcome, experiments, drift and trainings; Ctrl-C stops it."""
    from foretaste.ui import launch

    launch.check_installed()
    from foretaste.data.log_database import LogDatabase
    from foretaste.ui.dashboard_settings import DashboardSettings

    monitoring = settings_of(config, log, window, overrides)
    LogDatabase(monitoring.log).close()  # a URL that is none is refused before anything starts
    settings = DashboardSettings(monitoring=monitoring, store=store, runs=runs)
    script = Path(launch.__file__).with_name("dashboard.py")
    launch.check_free(host, port)
    _tell_address(host, port)
    launch.run(script, [settings.model_dump_json()], host, port, headless)


def _tell_address(host: str, port: int) -> None:
    out = result_console()
    out.print(f"[bold]{'at':<10}[/bold]http://{f'[{host}]' if ':' in host else host}:{port}", soft_wrap=True)
    out.print(f"[bold]{'next':<10}[/bold]Ctrl-C stops it")
