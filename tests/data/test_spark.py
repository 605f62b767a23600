"""Preparation by a Spark that runs here, beside Polars: all that comes out is equal."""

from contextlib import contextmanager
from types import SimpleNamespace

import narwhals as nw
import numpy as np
import polars as pl
import psutil
import pytest

from foretaste.data import spark
from foretaste.data.engines import PolarsEngine
from foretaste.data.prepare import PrepareConfig, check_engine, prepare
from foretaste.data.raw import RawTables, SourceInfo
from foretaste.data.sources import read_source
from foretaste.data.sources.movielens import MovielensConfig
from foretaste.data.sources.tables import TablesConfig
from foretaste.errors import ConfigError, DataError

TYPES = {"rating": pl.Float32, "timestamp": pl.Int64, "part": pl.String, "weight": pl.Float32, "prompted": pl.Boolean}
BY_SPARK = PrepareConfig(engine="spark")


@pytest.fixture
def session(needs_spark):
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").config("spark.sql.shuffle.partitions", 3)
    for key, value in {"spark.ui.enabled": "false", "spark.log.level": "ERROR"}.items():
        builder = builder.config(key, value)
    started = builder.getOrCreate()
    yield started
    started.stop()


def tables(num_rows, seed, *columns):
    """Few users, items and moments, so that pairs repeat and times tie; every fifth weight is missing."""
    rng = np.random.default_rng(seed)
    values = {
        "rating": rng.choice(np.float32([1, 3.3, 4, 5]), num_rows),
        "timestamp": rng.integers(0, 8, num_rows),
        "part": rng.choice(["train", "valid", "test"], num_rows),
        "weight": [None if n % 5 == 0 else n % 3 / 10 for n in range(num_rows)],
        "prompted": [None if n % 4 == 0 else n % 4 == 1 for n in range(num_rows)],
    }
    ids = {name: [f"{name[0]}{n:02}" for n in rng.zipf(1.4, num_rows) % 30] for name in ("user_id", "item_id")}
    frame = pl.DataFrame(ids | {name: pl.Series(values[name], dtype=TYPES[name]) for name in columns})
    return RawTables(nw.from_native(frame.lazy()), SourceInfo("test"), rows_read=num_rows)


def outcome(raw, config, engine=None):
    """All that preparation tells, or the message with which it stops."""
    try:
        prepared = prepare(raw, config, engine)
    except DataError as error:
        return str(error)
    events = prepared.dataset.interactions
    arrays = [events.user_N, events.item_N, events.weight_N, events.timestamp_N, prepared.part_N]
    arrays.append(prepared.is_prompted_N)
    vocabularies = events.users.ids.to_list(), events.items.ids.to_list()
    return prepared.audit, *vocabularies, *(None if array is None else array.tolist() for array in arrays)


CASES = {
    "ties, threshold, core": (
        tables(600, 1, "rating", "timestamp"),
        {"min_rating": 3.3, "min_user_interactions": 3, "min_item_interactions": 2, "weight": "rating"},
    ),
    "a given split without times": (tables(300, 3, "part"), {"weight": "events", "max_interactions": 200}),
    "feedback": (tables(400, 4, "rating", "timestamp", "weight", "prompted"), {"weight": "events", "min_rating": 4}),
    "nothing left": (tables(40, 5, "rating", "timestamp"), {"min_user_interactions": 30}),
}


@pytest.mark.slow
def test_spark_and_polars_agree_on_all(session, tmp_path):
    for name, (raw, options) in CASES.items():
        expected = outcome(raw, PrepareConfig(**options), PolarsEngine())
        config = PrepareConfig(engine="spark", exchange_dir=tmp_path, **options)
        assert outcome(raw, config) == expected, name
        assert isinstance(expected, str) == (name == "nothing left")
    assert list(tmp_path.iterdir()) == []
    assert session.range(3).count() == 3, "a session that was there is left as it was"


@pytest.mark.slow
def test_a_session_of_our_own_ends_and_bad_rows_are_accounted_for(needs_spark, tmp_path):
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    good = [f"u{n % 7},i{n % 11},{n % 5},{n}" for n in range(400)]
    (tmp_path / "events.csv").write_text("\n".join(["user_id,item_id,rating,timestamp", *good, "u1,,3,5"]) + "\n")
    before = {each.pid for each in psutil.Process().children()}
    read = [read_source(TablesConfig(path=tmp_path / "events.csv")) for _ in range(2)]
    by_spark = outcome(read[0], BY_SPARK)
    assert by_spark == outcome(read[1], PrepareConfig())
    assert [(note.reason, note.count) for note in by_spark[0].dropped[:1]] == [("no item_id", 1)]
    with pytest.raises(PySparkException, match="No active"):
        SparkSession.active()
    assert {each.pid for each in psutil.Process().children()} == before, "Java ended, if it was started"


@pytest.mark.slow
@pytest.mark.real_data
def test_movielens_is_the_same_by_spark(session, real_data):
    source = MovielensConfig(path=real_data / "ml-100k.zip")
    options = {"min_rating": 4, "min_user_interactions": 5, "min_item_interactions": 5}
    expected = outcome(read_source(source), PrepareConfig(**options))
    assert expected[0].rows_kept == 54413
    assert outcome(read_source(source), PrepareConfig(engine="spark", **options)) == expected


@pytest.mark.slow
def test_what_spark_says_when_it_gives_up_is_told(session, tmp_path):
    with pytest.raises(DataError, match=r"Spark gave up while it prepared the data: .*nowhere"), spark.spark_engine():
        session.read.parquet((tmp_path / "nowhere").as_uri())


def test_a_missing_library_is_refused_with_what_brings_it(monkeypatch):
    monkeypatch.setattr(spark, "find_spec", lambda name: None if name == "pyspark" else object())
    with pytest.raises(ConfigError, match=r"needs pyspark, not installed here; `pip install 'foretaste\[spark\]'`"):
        check_engine(BY_SPARK)
    check_engine(PrepareConfig())


def test_without_java_it_is_refused(monkeypatch):
    monkeypatch.setattr(spark, "find_spec", lambda name: object())
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(ConfigError, match="needs Java 17 or newer"):
        check_engine(BY_SPARK)


def test_a_folder_that_is_not_there_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(spark, "find_spec", lambda name: object())
    monkeypatch.setenv("JAVA_HOME", "/somewhere")
    with pytest.raises(ConfigError, match="there is no folder"):
        check_engine(PrepareConfig(engine="spark", exchange_dir=tmp_path / "none"))


def test_a_cluster_needs_a_folder_that_its_machines_see(needs_spark, monkeypatch):
    @contextmanager
    def far_away():
        yield SimpleNamespace(conf={"spark.master": "spark://cluster:7077"})

    monkeypatch.setattr(spark, "_session", far_away)
    with (
        pytest.raises(ConfigError, match=r"spark://cluster:7077.*prepare\.exchange_dir: /mnt/shared"),
        spark.spark_engine(),
    ):
        pass
