from pathlib import Path

import pytest

from foretaste.data.sources import read_source
from foretaste.data.sources.goodbooks import GoodbooksConfig

RATINGS = "user_id,book_id,rating\n314,1,5\n"


def test_the_first_edition_rates_the_column_id(tmp_path):
    write(
        tmp_path,
        ratings="book_id,user_id,rating\n1,314,5\n",
        books="id,book_id,authors,original_publication_year,title,language_code,average_rating,ratings_count\n"
        '1,2767052,"Suzanne Collins, A. Nother",2008.0,"The Hunger Games (The Hunger Games, #1)",eng,4.34,4780653\n'
        "2,3,Homer,-750.0,The Odyssey,,4.44,4602479\n",
    )
    raw = read_source(GoodbooksConfig(path=tmp_path))
    assert raw.interactions.collect().to_native().to_dicts() == [{"user_id": "314", "item_id": "1", "rating": 5.0}]
    hunger, odyssey = raw.items.collect().to_native().to_dicts()
    assert hunger == {
        "item_id": "1",
        "title": "The Hunger Games (The Hunger Games, #1)",
        "authors": ["Suzanne Collins", "A. Nother"],
        "year": 2008,
        "language": "eng",
        "average_rating": pytest.approx(4.34),
        "ratings_count": 4780653,
        "goodreads_id": "2767052",
        "author": "Suzanne Collins",
    }
    assert (odyssey["year"], odyssey["language"], odyssey["author"]) == (-750, None, "Homer")
    assert raw.info.item_noun == "book"


def test_the_second_edition_rates_book_id_and_has_genres_among_its_tags(tmp_path):
    write(
        tmp_path,
        ratings=RATINGS,
        books="book_id,goodreads_book_id,authors,title\n1,2767052,Suzanne Collins,The Hunger Games\n2,3,B,C\n",
        book_tags="goodreads_book_id,tag_id,count\n2767052,1,900\n2767052,2,50\n2767052,3,70\n",
        tags="tag_id,tag_name\n1,to-read\n2,dystopia\n3,young-adult\n",
    )
    items = read_source(GoodbooksConfig(path=tmp_path)).items.collect().to_native()
    assert items.select("item_id", "goodreads_id", "genres").rows() == [
        ("1", "2767052", ["young-adult", "dystopia"]),
        ("2", "3", None),
    ]


@pytest.mark.real_data
def test_the_published_archive(real_data):
    raw = read_source(GoodbooksConfig(path=real_data / "goodbooks-10k.zip"))
    events, items = raw.interactions.collect().to_native(), raw.items.collect().to_native()
    assert (len(events), len(items), raw.rows_read) == (981_756, 10_000, 981_756)
    assert set(events["item_id"]) == set(items["item_id"])
    assert items.filter(item_id="1")["author"].to_list() == ["Suzanne Collins"]
    assert items["year"].min() < 0 < items["year"].max() <= 2017


def write(folder: Path, **tables: str) -> None:
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text)
