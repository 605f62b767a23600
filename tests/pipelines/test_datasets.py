import json

import polars as pl

from foretaste.pipelines.datasets import describe, write_prepared
from foretaste.pipelines.experiment import divide, prepare_data
from foretaste.pipelines.narration import Silence


def test_the_description_counts_what_is_there(small_config):
    prepared = prepare_data(small_config(), Silence())
    told = describe(prepared)
    events = prepared.dataset.interactions
    assert (told["events"], told["users"], told["items"]) == (len(events), events.num_users, events.num_items)
    assert told["events_per_user"]["most"] == events.user_counts().max()
    top = told["met_most"][0]
    assert top["events"] == events.item_counts().max() == events.item_counts()[events.items.index(top["item_id"])]
    json.dumps(told, allow_nan=False)


def test_prepared_tables_hold_every_event_with_its_part(small_config, tmp_path):
    divided = divide(small_config(), Silence())
    for _ in range(2):  # the second time replaces the first
        folder = write_prepared(divided, tmp_path, "small")
    events = pl.read_parquet(folder / "interactions.parquet")
    split = divided.split
    assert dict(events["part"].value_counts().iter_rows()) == {
        "train": len(split.train),
        "valid": len(split.valid),
        "test": len(split.test),
    }
    test = events.filter(part="test")
    assert test["user_id"].to_list() == split.test.users.ids_at(split.test.user_N)
    assert test["timestamp"].to_list() == split.test.timestamp_N.tolist()
    assert len(pl.read_parquet(folder / "items.parquet")) == split.test.num_items
    assert json.loads((folder / "audit.json").read_text())["rows_kept"] == len(events)
