"""Titles of films that were never made: unique, readable, the same for the same genres."""

import polars as pl

from foretaste.arrays import IntArray

NOUNS = {
    "Action": "Strike Convoy Bullet Fortress Pursuit Commander Outpost Vengeance Blade Siege Renegade Target",
    "Adventure": "Island Voyage Compass Expedition Summit Treasure Caravan Jungle Harbour Map Lagoon Trail",
    "Animation": "Balloon Kitten Puddle Snowflake Toymaker Acorn Penguin Lantern Cloud Teapot Hedgehog Rainbow",
    "Comedy": "Picnic Wedding Neighbour Butler Holiday Mix-Up Landlord Reunion Bicycle Impostor Dentist Sofa",
    "Crime": "Alibi Heist Ledger Informant Verdict Getaway Safe Syndicate Warrant Forger Precinct Ransom",
    "Documentary": "Glacier Orchard Factory River Archive Migration Kitchen Coastline Workshop Meadow Railway Reef",
    "Drama": "Letter Season Daughter Inheritance Visitor Portrait Homecoming Promise Winter Teacher Garden Confession",
    "Fantasy": "Dragon Enchantress Crown Rune Sorcerer Amulet Unicorn Prophecy Phoenix Labyrinth Kingdom Spell",
    "Horror": "Crypt Whisper Cellar Scarecrow Nightmare Asylum Shadow Grave Mirror Doll Chapel Ritual",
    "Romance": "Kiss Waltz Valentine Sunset Sonata Bouquet Rendezvous Ballroom Serenade Boulevard Locket Summer",
    "Science Fiction": "Orbit Android Nebula Signal Colony Paradox Starship Satellite Clone Reactor Moon Quantum",
    "Thriller": "Witness Cipher Conspiracy Suspect Passenger Deadline Hostage Double Motive Dossier Countdown Stranger",
}
"""Genre → the nouns that its titles end in."""

GENRE_NAMES = tuple(NOUNS)

_ADJECTIVES = (
    "Silent Golden Broken Distant Hidden Crimson Restless Forgotten Midnight Burning Gentle Hollow Electric Wandering "
    "Frozen Secret Paper Velvet Stolen Northern Last Reluctant Emerald Painted Lonely Infinite Iron Borrowed Curious "
    "Fading Glass Scarlet Patient Thirteenth Unfinished Southern Invisible Copper Drowsy Perfect Final Amber Ordinary "
    "Vanishing Second Salted Honest Tangled"
)
_NOUN_STRIDE, _GENRE_STRIDE = 29, 7
"""How far the adjective moves from one title to the next, so that neighbours in the catalogue sound different."""


def titles(genre_I: IntArray) -> pl.Series:
    """A title for each item, from the index of its first genre in `GENRE_NAMES`.

    The n-th item of a genre always gets the same title; when a genre's words are used up, sequels are numbered from 2.
    """
    adjectives = pl.Series(_ADJECTIVES.split())
    nouns = pl.Series([nouns.split() for nouns in NOUNS.values()])
    num_adjectives, num_nouns = len(adjectives), len(nouns[0])

    genre = pl.col("genre").cast(pl.Int64)
    position = pl.col("genre").cum_count().over("genre").cast(pl.Int64) - 1
    combination = position % (num_adjectives * num_nouns)
    volume = position // (num_adjectives * num_nouns) + 1
    table = pl.DataFrame({"genre": genre_I}).select(
        ((combination // num_nouns + combination * _NOUN_STRIDE + genre * _GENRE_STRIDE) % num_adjectives).alias(
            "adjective"
        ),
        (genre * num_nouns + combination % num_nouns).alias("noun"),
        volume.alias("volume"),
    )
    adjective, noun = adjectives.gather(table["adjective"]), nouns.explode().gather(table["noun"])
    sequel = pl.select(
        pl.when(table["volume"] > 1).then(pl.lit(" ") + table["volume"].cast(pl.String)).otherwise(pl.lit(""))
    ).to_series()
    return (pl.Series(["The "]) + adjective + " " + noun + sequel).alias("title")
