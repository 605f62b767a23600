"""Which columns become features, and how wide they get."""

from pydantic import Field

from foretaste.data.schemas import AUTHOR, TITLE
from foretaste.settings import Settings


class FeaturesConfig(Settings):
    """Features of items and users."""

    item_columns: tuple[str, ...] | None = None
    """Columns of the catalogue; None takes title, year, genres, author, and every other one whose values repeat."""
    user_columns: tuple[str, ...] | None = None
    """Columns of the users table; None takes every column whose values repeat."""
    text_columns: tuple[str, ...] = (TITLE,)
    """Columns that are read as text: their length and words, and their n-grams of words."""
    separators: dict[str, str] = Field(default={AUTHOR: ","})
    """Column → what stands between the values of one cell. Lists need none."""
    embed_above: int = Field(default=64, ge=0)
    """Slots up to which a column becomes a multi-hot; a wider one gets a learned embedding for each slot."""
    top_k: int = Field(default=300, ge=0)
    """Most frequent values of a column that get a slot of their own; the rest share hashed ones."""
    hash_buckets: int = Field(default=64, ge=0)
    """Slots that the rest of a column's values share; 0 leaves the rest out."""
    min_rows: int = Field(default=2, ge=1)
    """Training rows that must share a value; what fewer have says hardly more of an item than its name."""
    ngram_words: int = Field(default=2, ge=1)
    """Longest n-gram of a text, in words."""
    ngram_buckets: int = Field(default=4096, ge=0)
    """Hashed slots for the n-grams of a text column; 0 leaves them out."""
    popularity: bool = True
    """Whether items get the logarithm of their training events."""
    history_means: bool = True
    """Whether users get the mean of the features of the items that they have met."""
