"""Whatever is sent, the answer is one that the documentation describes.

Left out is the check that what fits the schema is accepted: which attributes a filter may name, and whether there is a
history to explain by, is not in the schema but in the bundle.
"""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from foretaste.serving.app import create_app
from foretaste.serving.security.key_stores import FileKeys
from foretaste.serving.security.keys import create_key
from foretaste.serving.security.roles import PERMISSIONS, Role

KEY, RECORD = create_key("anything", Role.ADMIN, "2026-11-20T12:00:00+00:00")
BODIES = ("/recommend", "/recommend/batch", "/similar", "/explain", "/feedback", "/users")
CALLS = sorted([*PERMISSIONS, ("GET", "/live"), ("GET", "/ready")])


@pytest.fixture
def api(make_service, store, tmp_path):
    FileKeys(tmp_path / "keys.json").add(RECORD)
    return schemathesis.openapi.from_asgi("/openapi.json", create_app(make_service(store=store.root)))


def with_real_ids(value, salt):
    """The body with every other made-up id in place of one that the bundle knows."""
    if isinstance(value, list):
        return [with_real_ids(each, salt) for each in value]
    if not isinstance(value, dict):
        return value
    real = {"item_id": "m3", "movie_id": "m3", "user_id": "u3"}
    return {
        name: real[name] if name in real and (len(str(each)) + salt) % 2 else with_real_ids(each, salt)
        for name, each in value.items()
    }


WITH_PARAMETERS = {("GET", "/popular"), ("GET", "/items/{item_id}"), *(("POST", path) for path in BODIES)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "mode"),
    [(call, GenerationMode.POSITIVE) for call in CALLS]
    + [(call, GenerationMode.NEGATIVE) for call in sorted(WITH_PARAMETERS)],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value.value,
)
def test_every_answer_is_as_documented(api, call, mode):
    method, path = call

    @given(case=api[path][method].as_strategy(generation_mode=mode))
    @settings(max_examples=50, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def check(case):
        if isinstance(case.body, dict):
            case.body = with_real_ids(case.body, len(case.body))
        case.call_and_validate(headers={"Authorization": f"Bearer {KEY}"}, excluded_checks=[positive_data_acceptance])

    check()
