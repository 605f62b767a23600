import narwhals as nw
import polars as pl
import pytest

from foretaste.data.erased_users import without_erased
from foretaste.data.log_database import LogDatabase, setting
from foretaste.data.log_tables import ERASURES, user_hash
from foretaste.data.prepare import PrepareConfig, prepare
from foretaste.data.raw import RawTables, SourceInfo
from foretaste.errors import DataError


@pytest.fixture
def url(tmp_path):
    """Logs of a service in which u2 was forgotten at second 100."""
    url = f"sqlite:///{tmp_path}/log.db"
    database = LogDatabase(url)
    database.prepare()
    with database.writing() as connection:
        hashed = user_hash("u2", setting(connection, "salt"))
        connection.execute(ERASURES.insert().values(user_hash=hashed, erased_at=100.5))
    database.close()
    return url


def raw_of(**columns):
    users = pl.LazyFrame({"user_id": ["u1", "u2", "u3"], "age": [1, 2, 3]})
    interactions = pl.LazyFrame(columns)
    return RawTables(nw.from_native(interactions), SourceInfo("small"), users=nw.from_native(users))


def test_what_came_before_is_left_out_and_counted(url):
    raw = raw_of(
        user_id=["u1", "u2", "u2", "u2", "u3"],
        item_id=["a", "a", "b", "c", "d"],
        timestamp=[50, 50, 100, 101, None],
    )
    prepared = prepare(without_erased(raw, url), PrepareConfig())
    events = prepared.dataset.interactions
    pairs = zip(events.users.ids_at(events.user_N), events.items.ids_at(events.item_N), strict=True)
    assert sorted(pairs) == [("u1", "a"), ("u2", "c"), ("u3", "d")]
    assert (prepared.audit.rows_read, prepared.audit.rows_kept) == (5, 3)
    assert [(note.reason, note.count) for note in prepared.audit.dropped] == [
        ("event of a user who was forgotten (erasures)", 2)
    ]


def test_without_times_everything_goes(url):
    cleared = without_erased(raw_of(user_id=["u1", "u2"], item_id=["a", "a"]), url)
    assert cleared.interactions.collect()["user_id"].to_list() == ["u1"]
    assert cleared.users.collect()["user_id"].to_list() == ["u1", "u3"]


def test_data_without_erased_users_is_read_as_it_stands(url):
    raw = raw_of(user_id=["u1"], item_id=["a"])
    assert without_erased(raw, url) is raw


def test_logs_that_are_not_there_are_no_reason_to_train_on_everybody(tmp_path):
    with pytest.raises(DataError, match="has no logs of a service"):
        without_erased(raw_of(user_id=["u1"], item_id=["a"]), f"sqlite:///{tmp_path}/none.db")
