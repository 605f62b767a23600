import json

import pytest
import yaml

CONFIG = {
    "data": {"source": "synthetic", "num_users": 200, "num_items": 100, "num_interactions": 4000},
    "models": {"popularity": {}},
}


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(CONFIG))
    return path


def test_without_mlflow_tracking_is_refused_before_any_work(foretaste, config, tmp_path, monkeypatch):
    monkeypatch.setattr("foretaste.pipelines.tracking.find_spec", lambda name: None)
    result = foretaste("run", config, "--track", "--artifacts", tmp_path / "art")
    assert "pip install 'foretaste[tracking]'" in str(result.exception)
    assert not (tmp_path / "art").exists()
    assert foretaste("run", config, "--artifacts", tmp_path / "art").exit_code == 0


@pytest.mark.slow
def test_a_run_is_tracked_later_and_aliases_follow_the_bundles(foretaste, shell, config, tmp_path):
    art = tmp_path / "art"
    server = "http://127.0.0.1:9"
    first = foretaste("run", config, "--artifacts", art, "--tracking-uri", server)
    assert first.exit_code == 0
    told = " ".join(first.stdout.split())
    assert "the run is whole, but was not tracked" in told
    assert f"--artifacts {art}`" in told
    again = foretaste("track", "--artifacts", art)
    assert again.exit_code == 1
    assert "Connection refused" in str(again.exception)
    told = foretaste("track", "--artifacts", art, "--tracking-uri", f"sqlite:///{art}/mlflow.db", "--json")
    (sent,) = json.loads(told.stdout)["sent"]
    assert (sent["model"], sent["version"]) == ("small", "1")
    assert "has been sent" in foretaste("track", "--artifacts", art).stdout
    second = json.loads(foretaste("run", config, "--artifacts", art, "--track", "--no-promote", "--json").stdout)

    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{art}/mlflow.db")

    def aliases():
        return {name: str(version) for name, version in client.get_registered_model("small").aliases.items()}

    assert aliases() == {"candidate": "2", "production": "1"}
    promoted = shell("bundles", "promote", second["bundle_id"], "--store", art / "bundles")
    assert promoted.returncode == 0
    assert promoted.stderr == ""  # MLflow is quiet
    assert aliases() == {"candidate": "2", "production": "2"}
    foretaste("bundles", "rollback", "--store", art / "bundles")
    assert aliases() == {"candidate": "2", "production": "1"}
