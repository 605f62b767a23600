import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from foretaste.data.sources import read_source
from foretaste.data.sources.amazon_reviews import AmazonReviewsConfig
from foretaste.data.validate import BadRows
from foretaste.errors import DataError

REVIEW_2018 = {"overall": 4.0, "reviewerID": "A1", "asin": "B1", "reviewText": "Good.", "unixReviewTime": 1529193600}
REVIEW_2023 = {
    "rating": 5.0,
    "title": "Wonderful",
    "asin": "B1-RED",
    "parent_asin": "B1",
    "user_id": "AE2",
    "timestamp": 1602133857705,
    "helpful_vote": 0,
}


def write(path: Path, *records: dict[str, Any]) -> Path:
    text = "".join(json.dumps(record) + "\n" for record in records).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


@pytest.mark.parametrize("name", ["Gift_Cards_5.json", "Gift_Cards_5.json.gz"])
def test_reviews_of_2018(tmp_path, name):
    path = write(tmp_path / name, REVIEW_2018, REVIEW_2018 | {"reviewerID": "A2", "overall": 1.0})
    raw = read_source(AmazonReviewsConfig(path=path))
    assert raw.interactions.collect().to_native().rows() == [
        ("A1", "B1", 4.0, 1529193600),
        ("A2", "B1", 1.0, 1529193600),
    ]
    assert (raw.items, raw.rows_read, raw.info.item_noun) == (None, 2, "product")


def test_reviews_of_2023_go_by_the_parent_and_have_milliseconds(tmp_path):
    raw = read_source(AmazonReviewsConfig(path=write(tmp_path / "Books.jsonl", REVIEW_2023)))
    assert raw.interactions.collect().to_native().rows() == [("AE2", "B1", 5.0, 1602133857)]
    assert [note.reason for note in raw.notes] == ["timestamps of Books.jsonl are milliseconds: converted to seconds"]


def test_early_files_of_2023_sort_their_timestamps(tmp_path):
    early = {name: value for name, value in REVIEW_2023.items() if name != "timestamp"}
    path = write(tmp_path / "Books.jsonl", early | {"sort_timestamp": 1602133857705})
    raw = read_source(AmazonReviewsConfig(path=path))
    assert raw.interactions.collect().to_native()["timestamp"].to_list() == [1602133857]


def test_products_of_2018_are_tidied(tmp_path):
    write(tmp_path / "Gift_Cards_5.json", REVIEW_2018)
    write(
        tmp_path / "meta_Gift_Cards.json.gz",
        {
            "category": ["Gift Cards", "Gift Cards", "No expiration, no fees.", "</span>"],
            "title": " Mother&#39;s Day &amp; more",
            "brand": "Amazon",
            "price": "$1,012.99 - $2,000.00",
            "asin": "B1",
            "description": ["long"],
        },
        {"category": [], "title": "Cup", "brand": "", "price": ".a-box-inner{background-color:#fff}", "asin": "B2"},
        {"category": ["Other"], "title": "Once more", "brand": "X", "price": "", "asin": "B1"},
    )
    raw = read_source(AmazonReviewsConfig(path=tmp_path))
    assert raw.items.collect().to_native().to_dicts() == [
        {
            "item_id": "B1",
            "title": "Mother's Day & more",
            "genres": ["Gift Cards"],
            "author": "Amazon",
            "price": 1012.99,
        },
        {"item_id": "B2", "title": "Cup", "genres": [], "author": None, "price": None},
    ]
    assert [(note.count, note.drops_events) for note in raw.notes] == [(1, False)]


def test_products_of_2023_are_tidied(tmp_path):
    path = write(tmp_path / "Books.jsonl", REVIEW_2023)
    write(
        tmp_path / "meta_Books.jsonl",
        {
            "main_category": "Books",
            "title": "A Book",
            "average_rating": 4.5,
            "rating_number": 29,
            "price": 8.98,
            "store": "A. Writer (Author)",
            "author": {"avatar": "https://x", "name": "A. Writer", "about": ["Writes."]},
            "categories": ["Books", "Mystery"],
            "parent_asin": "B1",
        },
        {
            "main_category": "Books",
            "title": "Another",
            "average_rating": 4.0,
            "rating_number": 1,
            "price": None,
            "store": None,
            "author": None,
            "categories": [],
            "parent_asin": "B2",
        },
    )
    first, second = read_source(AmazonReviewsConfig(path=path)).items.collect().to_native().to_dicts()
    assert first == {
        "item_id": "B1",
        "title": "A Book",
        "genres": ["Books", "Mystery"],
        "author": "A. Writer",
        "price": 8.98,
        "average_rating": 4.5,
        "rating_number": 29,
    }
    assert (second["genres"], second["author"], second["price"]) == (["Books"], None, None)


def test_products_of_2014_are_python_dictionaries(tmp_path):
    write(tmp_path / "reviews_Books_5.json", REVIEW_2018)
    (tmp_path / "meta_Books.json").write_text(
        "{'asin': 'B1', 'title': \"It's here\", 'price': 9.5, 'categories': [['Books', 'Travel'], ['Books', 'Maps']]}\n"
        "{'asin': 'B2', 'title': 'Torn\n"
        + "".join(f"{{'asin': 'C{number}', 'title': 'T', 'price': 1.0}}\n" for number in range(200))
    )
    raw = read_source(AmazonReviewsConfig(path=tmp_path), BadRows(quarantine_dir=tmp_path / "quarantine"))
    items = raw.items.collect().to_native()
    assert items.row(0) == ("B1", "It's here", ["Books", "Travel", "Maps"], 9.5)
    assert len(items) == 201
    assert "'Torn" in (tmp_path / "quarantine" / "meta_Books.json.rejected.csv").read_text()


def test_a_folder_with_several_categories_needs_a_name(tmp_path):
    write(tmp_path / "Books_5.json", REVIEW_2018)
    write(tmp_path / "Gift_Cards_5.json", REVIEW_2018 | {"asin": "G1"})
    write(tmp_path / "meta_Gift_Cards.json", {"asin": "G1", "title": "Card"})
    with pytest.raises(DataError, match=r"holds 2 files of reviews: Books_5.json, Gift_Cards_5.json; expected one"):
        read_source(AmazonReviewsConfig(path=tmp_path))
    raw = read_source(AmazonReviewsConfig(path=tmp_path, file="Gift_Cards_5.json"))
    assert raw.interactions.collect().to_native()["item_id"].to_list() == ["G1"]
    assert raw.items.collect().to_native()["title"].to_list() == ["Card"]


def test_an_archive_without_reviews_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr("meta_Books.json", "{}")
    with pytest.raises(DataError, match=r"empty.zip holds no file of reviews; expected one: name it"):
        read_source(AmazonReviewsConfig(path=tmp_path / "empty.zip"))


def test_a_torn_line_is_named(tmp_path):
    path = write(tmp_path / "Books_5.json", *[REVIEW_2018] * 3)
    path.write_text(path.read_text()[:-40])
    with pytest.raises(DataError, match=r"Books_5.json: 1 of 3 rows have no complete JSON object \(line 3\)"):
        read_source(AmazonReviewsConfig(path=path), BadRows(on_bad_rows="fail"))


def test_a_truncated_gzip_is_refused(tmp_path):
    path = write(tmp_path / "Books_5.json.gz", *[REVIEW_2018] * 300)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"Books_5.json.gz cannot be unpacked|Books_5.json.gz breaks off"):
        read_source(AmazonReviewsConfig(path=path))


def test_a_missing_field_is_named_among_those_that_are_there(tmp_path):
    path = write(tmp_path / "Books_5.json", {"reviewer": "A1", "overall": 4.0, "product": "B1"})
    with pytest.raises(
        DataError, match=r"Books_5.json has no column user_id; its columns are reviewer, overall, product"
    ):
        read_source(AmazonReviewsConfig(path=path))


@pytest.mark.real_data
def test_the_gift_cards_of_2018(real_data):
    raw = read_source(AmazonReviewsConfig(path=real_data / "amazon-gift-cards-2018.zip"))
    events, items = raw.interactions.collect().to_native(), raw.items.collect().to_native()
    assert (len(events), raw.rows_read, len(items)) == (2_972, 2_972, 1_547)
    assert set(events["item_id"]) <= set(items["item_id"])
    assert items["title"].null_count() == 0
    assert (items["price"].is_not_null().sum(), items["price"].min() > 0) == (358, True)
    assert raw.info.name == "amazon-gift-cards-2018"
