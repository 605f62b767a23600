from prometheus_client.parser import text_string_to_metric_families

from foretaste.serving.metrics import BOUNDS_SECONDS, Metrics, SharedFigures, exposition


def samples(text):
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_a_histogram_by_hand():
    metrics = Metrics()
    for seconds in (0.0004, 0.0005, 0.002, 99.0):
        metrics.observe("/recommend", "b1", "default", 200, seconds)
    found = samples(exposition([metrics.figures({}, {})], []))
    labels = (("endpoint", "/recommend"), ("model_version", "b1"), ("variant", "default"))

    def bucket(le):
        return found["foretaste_request_seconds_bucket", *sorted((*labels, ("le", le)))]

    assert [bucket(le) for le in ("0.0005", "0.001", "0.0025", "10.0", "+Inf")] == [2, 2, 3, 3, 4]
    assert found["foretaste_request_seconds_count", *labels] == 4
    assert abs(found["foretaste_request_seconds_sum", *labels] - 99.0029) < 1e-9
    assert found["foretaste_requests_total", *sorted((*labels, ("status", "200")))] == 4
    assert list(BOUNDS_SECONDS) == sorted(BOUNDS_SECONDS)


def test_workers_are_added_up(tmp_path):
    workers = [Metrics() for _ in range(3)]
    shared = [SharedFigures(tmp_path, worker) for worker in range(3)]
    for count, (metrics, figures) in enumerate(zip(workers, shared, strict=True), start=1):
        for _ in range(count):
            metrics.observe("/popular", "b1", "default", 200, 0.01)
        figures.leave(metrics.figures({"waiting": count}, {"refused_queue": count}))
    found = samples(exposition([workers[0].figures({"waiting": 1}, {"refused_queue": 1}), *shared[0].of_others()], []))
    assert found["foretaste_waiting",] == 6
    assert found["foretaste_refused_queue_total",] == 6
    (total,) = [value for name, value in found.items() if name[0] == "foretaste_requests_total"]
    assert total == 6


def test_a_file_that_is_half_written_is_passed_over(tmp_path):
    (tmp_path / "worker-7.json").write_text('{"latency"')
    assert SharedFigures(tmp_path, 0).of_others() == []


def test_versions_that_are_gone_are_dropped():
    metrics = Metrics()
    for version in ("b1", "b2", "b3", ""):
        metrics.observe("/recommend", version, "default", 200, 0.01)
    metrics.keep_versions({"b2", "b3"})
    figures = metrics.figures({}, {})
    assert {label.split("\t")[1] for label in figures["latency"]} == {"b2", "b3", ""}
    assert {label.split("\t")[1] for label in figures["requests"]} == {"b2", "b3", ""}


def test_which_models_answer_is_told():
    info = [{"variant": "default", "model_version": "b1", "model": "als"}]
    found = samples(exposition([], info))
    assert found["foretaste_model_loaded", ("model", "als"), ("model_version", "b1"), ("variant", "default")] == 1
