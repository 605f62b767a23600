"""Spark as the backend of preparation: the session, and the way of the rows to it and back.

Rows go both ways as Parquet files in a folder that this machine and the cluster see: written and read in a stream, they
are in the memory of this machine only once they are prepared.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import narwhals as nw
import polars as pl

from foretaste.data.engines import Engine, Frame, LazyEngine
from foretaste.errors import ConfigError, DataError

_LIBRARIES = ("pyspark", "pyarrow")
_QUIET = {"spark.log.level": "ERROR", "spark.ui.showConsoleProgress": "false"}


def check_spark(exchange_dir: Path | None) -> None:
    """Refuse to prepare by Spark where it cannot be started, before any data is read.

    Args:
        exchange_dir: as in `spark_engine`.

    Raises:
        ConfigError: a library, Java or the folder is missing; the message tells what brings it.
    """
    missing = [library for library in _LIBRARIES if find_spec(library) is None]
    if missing:
        raise ConfigError(
            f"prepare.engine: spark needs {' and '.join(missing)}, not installed here; "
            f"`pip install 'foretaste[spark]'` brings what it needs."
        )
    if not os.environ.get("JAVA_HOME") and shutil.which("java") is None:
        raise ConfigError(
            "prepare.engine: spark needs Java 17 or newer, and there is no `java` on the PATH; install it, as with "
            "`apt-get install openjdk-17-jre-headless`, or let JAVA_HOME name where it is."
        )
    if exchange_dir is not None and not exchange_dir.is_dir():
        raise ConfigError(f"prepare.exchange_dir: there is no folder {exchange_dir}; make it, or leave the option out.")


@contextmanager
def spark_engine(exchange_dir: Path | None = None) -> Iterator[Engine]:
    """An engine that computes in the active Spark session; without one, in a session that ends with the block.

    Args:
        exchange_dir: a folder that every machine of the cluster sees, for the rows on their way; None is a temporary
            one, and enough where Spark runs on this machine.

    Raises:
        ConfigError: Spark cannot be started, or runs on other machines and no folder is given.
        DataError: Spark gave up in the middle.
    """
    check_spark(exchange_dir)
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    with _session() as session:
        master = session.conf.get("spark.master", "local")
        if exchange_dir is None and not master.startswith("local"):
            raise ConfigError(
                f"prepare.engine: spark runs at {master}, whose machines do not see a temporary folder of this one; "
                f"name a folder that all of them see, as in prepare.exchange_dir: /mnt/shared."
            )
        with _folder(exchange_dir) as folder:
            try:
                yield LazyEngine(SparkBridge(session, folder))
            except (PySparkException, Py4JError) as error:
                raise DataError(f"Spark gave up while it prepared the data: {_first_line(error)}") from error


@dataclass(frozen=True)
class SparkBridge:
    """See `Bridge`."""

    session: Any
    """A `pyspark.sql.SparkSession`."""
    folder: Path
    """Empty; seen by this machine and the cluster under the same path."""

    def over(self, frame: pl.LazyFrame) -> Frame:
        """See `Bridge`."""
        events = self.folder / "events.parquet"
        frame.sink_parquet(events)
        over: Frame = nw.from_native(self.session.read.parquet(events.as_uri()))
        return over

    def back(self, frame: Frame) -> pl.LazyFrame:
        """See `Bridge`."""
        prepared = self.folder / "prepared"
        frame.to_native().write.parquet(prepared.as_uri())
        return pl.scan_parquet(prepared / "*.parquet")


@contextmanager
def _session() -> Iterator[Any]:
    from pyspark import SparkContext
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    try:
        active = SparkSession.active()
    except PySparkException:
        active = None
    if active is not None:
        yield active
        return
    had_java = SparkContext._gateway is not None
    builder = SparkSession.builder.appName("foretaste")
    for key, value in _QUIET.items():
        builder = builder.config(key, value)
    try:
        started = builder.getOrCreate()
    except PySparkException as error:
        raise ConfigError(
            f"Spark cannot be started ({_first_line(error)}); it needs Java 17 or newer, and a master that answers."
        ) from error
    try:
        yield started
    finally:
        started.stop()
        if not had_java:
            _end_java()


def _end_java() -> None:
    """End the Java that PySpark started here: after `stop` it idles with a gigabyte that training may need.

    PySpark has no public way to do so; Java ends when its standard input does.
    """
    from pyspark import SparkContext

    gateway: Any = SparkContext._gateway
    process = getattr(gateway, "proc", None)
    if process is not None:
        SparkContext._gateway = SparkContext._jvm = None
        gateway.shutdown()
        process.stdin.close()
        process.wait()


@contextmanager
def _folder(parent: Path | None) -> Iterator[Path]:
    """A new folder that is gone after the block. Beneath `parent`, others may read it, as Spark's workers must."""
    folder = Path(tempfile.mkdtemp(prefix="foretaste-", dir=parent)).resolve()
    if parent is not None:
        folder.chmod(parent.stat().st_mode)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
