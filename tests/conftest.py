"""Fixtures that every test may use."""

import os
import runpy
import secrets
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings

# A busy machine is no bug: what an example takes in time depends on all that runs beside it.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of public archives; skips where FORETASTE_DATA names none."""
    folder = os.environ.get("FORETASTE_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("FORETASTE_DATA names no folder of public archives")
    return Path(folder).resolve()


@pytest.fixture(scope="session")
def as_logged():
    """Makes the row that a service logs of an engine's answer; keyword arguments come on top."""
    return runpy.run_path(str(Path(__file__).with_name("logged.py")))["as_logged"]


@pytest.fixture
def needs_spark(monkeypatch):
    """Skips where Spark cannot be started. Where it can, Java compiles but once what runs for seconds."""
    pytest.importorskip("pyspark", reason="needs the extra spark")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java, and there is none on the PATH")
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1")


_POSTGRES = runpy.run_path(str(Path(__file__).with_name("temporary_postgres.py")))


@pytest.fixture(scope="session")
def postgres_server():
    """URL of a server: the one of FORETASTE_POSTGRES_URL, or one that is started here."""
    url = os.environ.get(_POSTGRES["VARIABLE"])
    if url:
        yield url
        return
    try:
        with _POSTGRES["running_postgres"]() as url:
            yield url
    except _POSTGRES["NoPostgresError"] as reason:
        pytest.skip(f"no PostgreSQL: {reason}")


@pytest.fixture(scope="session")
def new_schema():
    """Makes an empty schema in a PostgreSQL server, for as long as a block lasts; the block gets its URL."""

    @contextmanager
    def schema(server_url):
        server, name = sa.make_url(server_url), f"test_{secrets.token_hex(6)}"
        engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE SCHEMA {name}")
            url = server.update_query_dict({"options": f"-csearch_path={name}"})
            yield url.render_as_string(hide_password=False)
            connection.exec_driver_sql(f"DROP SCHEMA {name} CASCADE")
        engine.dispose()

    return schema


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, new_schema, tmp_path):
    """URL of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/log.db"
        return
    pytest.importorskip("psycopg")
    with new_schema(request.getfixturevalue("postgres_server")) as url:
        yield url
