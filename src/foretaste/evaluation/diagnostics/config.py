"""How closely a fitted model is looked at."""

from pydantic import Field

from foretaste.settings import Settings


class DiagnosticsConfig(Settings):
    """What is asked of each model beside its figures on test, and of how many users and items."""

    enabled: bool = True
    """Whether to look at all."""
    neighbor_k: int = Field(default=10, ge=1)
    """Nearest neighbours of an item that are compared with it."""
    item_sample_size: int = Field(default=1000, ge=1)
    """Items whose neighbours are looked at, drawn at random."""
    user_sample_size: int = Field(default=1000, ge=1)
    """Users over whom vectors, scores and lists are averaged, drawn at random among those with a history."""
    top_features: int = Field(default=10, ge=1)
    """Features that are listed, those with the strongest correlation."""
    example_users: int = Field(default=3, ge=0)
    """Users whose lists are shown in the report."""
    example_depth: int = Field(default=10, ge=1)
    """Slots of those lists that are shown, as far as lists were judged."""
    seed: int = Field(default=0, ge=0)
    """Of what is drawn."""
