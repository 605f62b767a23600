import itertools
from dataclasses import replace

import narwhals as nw
import numpy as np
import polars as pl
import pytest

from foretaste.config import ExperimentConfig, check
from foretaste.data.engines import LazyEngine, PolarsEngine
from foretaste.data.feedback import KINDS, FeedbackConfig
from foretaste.data.feedback_events import num_events, pinned, with_feedback
from foretaste.data.prepare import PrepareConfig, prepare
from foretaste.data.raw import RawTables, SourceInfo
from foretaste.data.sources import read_source
from foretaste.data.sources.movielens import MovielensConfig
from foretaste.errors import ConfigError, DataError
from foretaste.serving.logs.rows import FeedbackRow, RequestRow
from foretaste.serving.logs.service import ServiceLogs
from foretaste.serving.logs.settings import LogConfig

BOTH = pytest.mark.parametrize("engine", [PolarsEngine(), LazyEngine()], ids=["polars", "lazy"])
DAY = 86_400
_numbers = itertools.count()


class Log:
    """The log of a service, written by what the service writes it with."""

    def __init__(self, url, folder):
        self.config = FeedbackConfig(log=url)
        self._logs = ServiceLogs(LogConfig(url=url, journal_dir=folder / "journal", move_every_seconds=60))
        self._logs.start()

    def take(self, *events):
        """(user, kind, item, time), and a value."""
        for user, kind, item, timestamp, *value in events:
            self._logs.feedback.take(
                FeedbackRow(
                    event_id=f"e{next(_numbers)}",
                    timestamp=timestamp,
                    received_at=timestamp,
                    kind=kind,
                    item_id=item,
                    user_id=user,
                    value=value[0] if value else None,
                    request_id="r1" if user is None else None,
                )
            )
        self._logs.move_now()
        return self

    def answer(self, user):
        row = {"request_id": "r1", "timestamp": 1.0, "endpoint": "/recommend", "status": 200, "latency_ms": 1.0}
        self._logs.requests.append(RequestRow(**row, user_id=user))
        self._logs.move_now()

    def register(self, user, **attributes):
        self._logs.users.register(user, attributes)
        self._logs.move_now()

    def close(self):
        self._logs.stop()


@pytest.fixture
def log(database_url, tmp_path):
    log = Log(database_url, tmp_path)
    yield log
    log.close()


def raw_of(*rows, columns=("user_id", "item_id", "rating", "timestamp"), items=("a", "b", "c", "d"), users=None):
    frame = pl.DataFrame(rows or None, schema=list(columns), orient="row")
    dtypes = {"user_id": pl.String, "item_id": pl.String, "rating": pl.Float32, "timestamp": pl.Int64}
    frame = frame.cast({name: dtypes[name] for name in columns if name in dtypes})
    catalogue = None if items is None else nw.from_native(pl.LazyFrame({"item_id": list(items)}))
    people = None if users is None else nw.from_native(users.lazy())
    return RawTables(
        nw.from_native(frame.lazy()), SourceInfo("small"), items=catalogue, users=people, rows_read=len(rows)
    )


def weights(prepared):
    events = prepared.dataset.interactions
    pairs = zip(events.users.ids_at(events.user_N), events.items.ids_at(events.item_N), strict=True)
    return dict(sorted(zip(pairs, events.weight_N.tolist(), strict=True)))


def merged(raw, config, engine=None, **options):
    return weights(prepare(with_feedback(raw, config), PrepareConfig(**options), engine))


def dropped(raw):
    return {note.reason: note.count for note in raw.notes if note.drops_events}


@BOTH
def test_each_kind_counts_what_the_config_says(log, engine):
    log.take(("u1", "click", "b", 20.5), ("u1", "purchase", "c", 21.0), ("new", "click", "a", 22.0))
    raw = raw_of(("u1", "a", 5, 10), ("u2", "a", 4, 11))
    expected = {("new", "a"): 1, ("u1", "a"): 1, ("u1", "b"): 1, ("u1", "c"): 3, ("u2", "a"): 1}
    assert merged(raw, log.config, engine=engine) == expected
    heavier = log.config.model_copy(update={"weights": log.config.weights | {"purchase": 10.0}})
    assert merged(raw, heavier, engine=engine)[("u1", "c")] == 10


@BOTH
def test_ratings_go_the_way_of_the_ratings_of_the_data_and_clicks_have_none(log, engine):
    log.take(("u1", "rating", "b", 20.0, 5), ("u1", "rating", "c", 21.0, 2), ("u1", "click", "d", 22.0))
    raw = raw_of(("u1", "a", 5, 10), ("u2", "a", 1, 10), ("u2", "b", None, 10))
    assert merged(raw, log.config, engine=engine, min_rating=4) == {("u1", "a"): 1, ("u1", "b"): 1, ("u1", "d"): 1}
    rated = {("u1", "a"): 5, ("u1", "b"): 5, ("u1", "c"): 2, ("u1", "d"): 1, ("u2", "a"): 1, ("u2", "b"): 1}
    assert merged(raw, log.config, engine=engine, weight="rating") == rated


@BOTH
def test_the_last_word_counts_wherever_it_was_said(log, engine):
    log.take(
        ("u1", "rating", "a", 20.0, 1),  # liked in the data, and not any more
        ("u1", "skip", "b", 20.0),  # passed over: takes back the event of the data
        ("u2", "click", "a", 20.0),
        ("u2", "skip", "a", 19.0),  # the click came later
        ("u2", "click", "b", 5.0),  # older than the data's rating of 1
    )
    raw = raw_of(("u1", "a", 5, 10), ("u1", "b", 5, 10), ("u2", "b", 1, 10), ("u3", "c", 5, 10))
    assert merged(raw, log.config, engine=engine, min_rating=4) == {("u2", "a"): 1, ("u3", "c"): 1}
    audit = prepare(with_feedback(raw, log.config), PrepareConfig(min_rating=4), engine).audit
    reasons = {note.reason: note.count for note in audit.dropped}
    assert reasons["pair whose last event passed the item over"] == 1
    assert (audit.rows_read, audit.rows_kept) == (9, 2)


@BOTH
def test_events_of_a_pair_are_counted_by_their_weights(log, engine):
    log.take(("u1", "click", "a", 20.0), ("u1", "purchase", "a", 21.0), ("u1", "click", "b", 22.0))
    raw = raw_of(("u1", "a", 5, 10))
    assert merged(raw, log.config, engine=engine, weight="events") == {("u1", "a"): 1 + 1 + 3, ("u1", "b"): 1}


def test_what_is_left_out_is_counted(log):
    log.take(
        ("u1", "click", "a", 20.0),
        ("u1", "click", "unheard of", 21.0),
        (None, "click", "b", 22.0),
        ("u1", "purchase", "c", 23.0),
    )
    config = log.config.model_copy(update={"weights": log.config.weights | {"purchase": 0.0}})
    found = with_feedback(raw_of(("u1", "d", 5, 10)), config)
    assert dropped(found) == {
        "purchase in the log, which counts 0 (feedback.weights)": 1,
        "event of nobody in the log (feedback)": 1,
        "event of the log with an item that the catalogue has not (feedback)": 1,
    }
    prepared = prepare(found, PrepareConfig())
    assert weights(prepared) == {("u1", "a"): 1, ("u1", "d"): 1}
    assert [(note.reason, note.count) for note in prepared.audit.remarks] == [
        ("events of the service's log joined the data (feedback)", 1)
    ]
    assert (prepared.audit.rows_read, found.rows_read) == (5, 2)


def test_an_event_without_a_name_belongs_to_whom_the_answer_was_for(log):
    log.answer("u7")
    log.take((None, "click", "b", 22.0))
    assert merged(raw_of(("u1", "d", 5, 10)), log.config) == {("u1", "d"): 1, ("u7", "b"): 1}


def test_without_a_catalogue_every_item_may_be_one(log):
    log.take(("u1", "click", "unheard of", 21.0))
    found = merged(raw_of(("u1", "d", 5, 10), items=None), log.config)
    assert found == {("u1", "d"): 1, ("u1", "unheard of"): 1}


def test_the_window_ends_with_the_newest_event_of_the_log(log):
    log.take(("u1", "click", "a", 1 * DAY), ("u1", "click", "b", 8.5 * DAY), ("u1", "click", "c", 10 * DAY))
    config = log.config.model_copy(update={"window_days": 7})
    raw = raw_of(("u1", "d", 5, 10))
    assert merged(raw, config) == {("u1", "b"): 1, ("u1", "c"): 1, ("u1", "d"): 1}
    assert merged(raw, config.model_copy(update={"up_to": 2})) == {("u1", "b"): 1, ("u1", "d"): 1}


def test_what_comes_later_changes_nothing_for_a_config_that_is_pinned(log):
    assert pinned(log.config).up_to == 0
    log.take(("u1", "click", "a", 20.0), ("u1", "click", "b", 21.0))
    config = pinned(log.config)
    assert (config.up_to, num_events(config, after=0), num_events(config, after=1)) == (2, 2, 1)
    log.take(("u1", "click", "c", 20.0))
    assert pinned(config) == config
    raw = raw_of(("u1", "d", 5, 10))
    assert merged(raw, config) == {("u1", "a"): 1, ("u1", "b"): 1, ("u1", "d"): 1}
    assert num_events(log.config, after=2) == 1


@BOTH
def test_an_event_knows_whether_a_list_led_to_it(log, engine):
    log.answer("u1")
    log.take((None, "click", "a", 20.0), ("u1", "click", "b", 21.0), ("u2", "click", "a", 22.0))
    log.take(("u1", "purchase", "a", 23.0))
    prepared = prepare(with_feedback(raw_of(("u1", "d", 5, 10)), log.config), PrepareConfig(), engine)
    events = prepared.dataset.interactions
    told = zip(events.users.ids.gather(events.user_N), events.items.ids.gather(events.item_N), strict=True)
    assert dict(zip(told, prepared.is_prompted_N.tolist(), strict=True)) == {
        ("u1", "d"): False,
        ("u1", "a"): True,
        ("u1", "b"): False,
        ("u2", "a"): False,
    }


def test_data_without_ratings_or_times_gets_none(log):
    log.take(("u1", "rating", "a", 20.0, 1), ("u1", "click", "b", 21.0))
    found = with_feedback(raw_of(("u1", "d"), columns=("user_id", "item_id")), log.config)
    assert found.interactions.collect_schema().names() == ["user_id", "item_id", "weight", "prompted"]
    assert weights(prepare(found, PrepareConfig())) == {("u1", "a"): 1, ("u1", "b"): 1, ("u1", "d"): 1}


def test_who_was_registered_is_known_by_what_they_said(log):
    log.register("u1", age=31)
    log.register("new", age="old", country="CH", shoe_size=44)
    log.register("newer", age=None, country="FR")
    log.take(*((user, "click", "a", 20.0) for user in ("u1", "new", "newer", "nobody")))
    users = pl.DataFrame({"user_id": ["u1", "u2"], "age": [30, 40], "country": ["IT", "ES"]})
    raw = with_feedback(raw_of(("u2", "d", 5, 10), users=users), log.config)
    found = prepare(raw, PrepareConfig()).dataset.users
    assert sorted(found.rows()) == [
        ("new", None, "CH"),
        ("newer", None, "FR"),
        ("nobody", None, None),
        ("u1", 31, "IT"),
        ("u2", 40, "ES"),
    ]


def test_the_fingerprint_is_that_of_the_same_events_in_one_table(log):
    log.take(("u1", "click", "b", 20.0), ("u3", "click", "a", 30.0))
    two = prepare(with_feedback(raw_of(("u1", "a", 5, 10)), log.config), PrepareConfig()).dataset.interactions
    rows = ("u1", "a", 5, 10), ("u1", "b", 1, 20), ("u3", "a", 1, 30)
    one = prepare(raw_of(*rows), PrepareConfig()).dataset.interactions
    assert two.fingerprint == one.fingerprint
    assert two.weight_N.dtype == np.float32


def test_what_cannot_be_merged_is_refused(log, tmp_path):
    given = raw_of(("u1", "a", "train"), columns=("user_id", "item_id", "part"))
    with pytest.raises(DataError, match="split of its own"):
        with_feedback(given, log.config)
    with pytest.raises(DataError, match=r"feedback: .* has no logs of a service"):
        with_feedback(raw_of(("u1", "a", 5, 10)), FeedbackConfig(log=f"sqlite:///{tmp_path}/none.db"))
    values = {"data": {"source": "synthetic"}, "models": {"popularity": {}}, "feedback": {}}
    with pytest.raises(ConfigError, match="those of 'feedback' come last"):
        check(values | {"prepare": {"max_interactions": 100}}, ExperimentConfig, where="small")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"buy": 1}, "unknown kind of event 'buy'; expected any of click, purchase, rating, skip"),
        ({"skip": 1}, "leave it at 0"),
        ({"click": -1}, "weights.click"),
        ([1], "expected a weight for a kind of event"),
    ],
)
def test_weights_that_mean_nothing_are_refused(given, message):
    with pytest.raises(ConfigError, match=message):
        check({"weights": given}, FeedbackConfig, where="small")


def test_kinds_that_are_not_named_keep_their_weight():
    assert FeedbackConfig(weights={"purchase": 5}).weights == {
        **{name: kind.weight for name, kind in KINDS.items()},
        "purchase": 5,
    }


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("postgresql+psycopg://me:se:cr@et@host:5432/db", "postgresql+psycopg://me@host:5432/db"),
        ("postgresql+psycopg://me@host/db", "postgresql+psycopg://me@host/db"),
        ("sqlite:///artifacts/service/log.db", "sqlite:///artifacts/service/log.db"),
    ],
)
def test_what_is_kept_of_a_config_has_no_password(url, kept):
    values = {"data": {"source": "synthetic"}, "models": {"popularity": {}}, "feedback": {"log": url}, "erasures": url}
    config = check(values, ExperimentConfig, where="small")
    assert (config.feedback.log, config.erasures) == (url, url)
    resolved = config.resolved()
    assert (resolved["feedback"]["log"], resolved["erasures"]) == (kept, kept)


@pytest.mark.real_data
@pytest.mark.parametrize("options", [{}, {"min_rating": 4}, {"weight": "rating", "min_user_interactions": 5}])
def test_movielens_whose_last_tenth_comes_by_the_log_is_movielens(real_data, tmp_path, options):
    raw = read_source(MovielensConfig(path=real_data / "ml-100k.zip"))
    rows = raw.interactions.to_native().sort("timestamp", maintain_order=True).collect()
    cut = int((rows["timestamp"] < rows["timestamp"][90_000]).sum())
    first, last = rows.head(cut), rows.tail(len(rows) - cut)
    log = Log(f"sqlite:///{tmp_path}/log.db", tmp_path)
    columns = (last[name] for name in ("user_id", "item_id", "timestamp", "rating"))
    log.take(*((user, "rating", item, moment, rating) for user, item, moment, rating in zip(*columns, strict=True)))
    log.close()
    early = replace(raw, interactions=nw.from_native(first.lazy()), rows_read=cut)
    merged = prepare(with_feedback(early, log.config), PrepareConfig(**options)).dataset
    whole = replace(raw, interactions=nw.from_native(rows.lazy()))
    assert merged.interactions.fingerprint == prepare(whole, PrepareConfig(**options)).dataset.interactions.fingerprint
