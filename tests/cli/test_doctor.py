import json


def findings(result):
    return {(each["topic"], each["name"]): each for each in json.loads(result.stdout)}


def test_a_healthy_installation(foretaste, store, tmp_path, monkeypatch):
    monkeypatch.setenv("FORETASTE_DATA", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    result = foretaste("doctor", "--store", store.root, "--json")
    assert result.exit_code == 0
    found = findings(result)
    assert found["versions", "polars"]["value"].count(".") == 2
    assert int(found["machine", "cores"]["value"]) >= 1
    assert "GiB free" in found["machine", "memory"]["value"]
    assert found["threads", "OMP_NUM_THREADS"]["value"] == "2"
    assert found["data", str(tmp_path)]["value"] == "1 entries"
    assert found["store", "production"]["value"] == store.production_id()
    assert {name for topic, name in found if topic == "extras"} == {
        "neural",
        "ann",
        "postgres",
        "ranking",
        "tracking",
        "tuning",
        "ui",
        "spark",
    }


def test_what_is_missing_comes_with_the_command_that_brings_it(foretaste, tmp_path, monkeypatch):
    monkeypatch.setenv("FORETASTE_DATA", str(tmp_path / "none"))
    monkeypatch.setattr("foretaste.cli.doctor._is_installed", lambda package: package != "streamlit")
    result = foretaste("doctor", "--store", tmp_path / "none", "--json")
    found = findings(result)
    assert result.exit_code == 0
    assert found["extras", "ui"]["value"] == "not installed: streamlit"
    assert found["extras", "ui"]["advice"] == "pip install 'foretaste[ui]'"
    assert found["extras", "neural"]["value"] == "installed"
    assert found["data", str(tmp_path / "none")]["value"] == "no such folder"
    assert found["store", str(tmp_path / "none")]["advice"] == "foretaste demo"


def test_a_damaged_bundle_is_named_and_the_exit_code_says_so(foretaste, store):
    (store.root / store.production_id() / "item_mapping.parquet").write_bytes(b"")
    result = foretaste("doctor", "--store", store.root)
    assert result.exit_code == 1
    assert "damaged" in result.stdout
    assert "item_mapping.parquet" in result.stdout
