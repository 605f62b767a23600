import pytest

from foretaste.data.sources.synthetic_world import SyntheticConfig, make_world
from foretaste.pipelines.simulation.people import rows_of

WEEKS = 2


@pytest.fixture(scope="session")
def world():
    """Four weeks, of which the last two are simulated; a quarter of the people and items come then."""
    return make_world(
        SyntheticConfig(
            num_users=60,
            num_items=40,
            num_interactions=500,
            days=28,
            late_after=0.5,
            late_user_share=0.25,
            late_item_share=0.25,
            seed=3,
        )
    )


@pytest.fixture(scope="session")
def rows(world):
    return rows_of(world)


@pytest.fixture(scope="session")
def start(world):
    """When the first week begins."""
    return world.config.end_seconds - WEEKS * 7 * 86_400
