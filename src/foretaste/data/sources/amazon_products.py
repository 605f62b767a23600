"""Metadata of Amazon products as their pages show them, made into what they say."""

import html

import polars as pl

from foretaste.data.schemas import AUTHOR, GENRES, TITLE

MAIN_CATEGORY = "main_category"
_PRICE = r"^\$?\s*([0-9]+(?:\.[0-9]+)?)"
_NAME = r"""["']name["']:\s*["'](.+?)["']\s*[,}]"""


def tidy_products(products: pl.DataFrame) -> pl.DataFrame:
    """The same products, with `price` in numbers, names without markup, and `genres` that are categories.

    A price of `$12.99`, or a range that starts there, becomes 12.99; `&amp;` an ampersand. Where a product has no
    category, its main one stands in.
    """
    products = products.with_columns(_unescaped(products[name]) for name in (TITLE, AUTHOR) if name in products.columns)
    if AUTHOR in products.columns:
        # Books of 2023 have an author with a picture, a name and a biography.
        author = pl.col(AUTHOR)
        name = pl.when(author.str.starts_with("{")).then(author.str.extract(_NAME)).otherwise(author)
        products = products.with_columns(name.alias(AUTHOR))
    if products.schema.get("price") == pl.String:
        price = pl.col("price").str.replace_all(",", "").str.extract(_PRICE).cast(pl.Float64)
        products = products.with_columns(price.alias("price"))
    if GENRES in products.columns:
        # Some lists of 2018 go on with the features of the product: sentences, and remains of markup.
        is_name = ~pl.element().str.contains(r"[<>]|\.$")
        genres = pl.col(GENRES).list.eval(pl.element().filter(is_name)).list.unique(maintain_order=True)
        if MAIN_CATEGORY in products.columns:
            genres = pl.when(genres.list.len() > 0).then(genres).otherwise(pl.concat_list(MAIN_CATEGORY))
        products = products.with_columns(genres.alias(GENRES))
    return products.drop(MAIN_CATEGORY, strict=False)


def _unescaped(text: pl.Series) -> pl.Series:
    return pl.Series(text.name, [value and html.unescape(value).strip() for value in text], dtype=pl.String)
