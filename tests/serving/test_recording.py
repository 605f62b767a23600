from foretaste.serving.answers import Recommendations
from foretaste.serving.exchange import Exchange
from foretaste.serving.recording import record


class Kept:
    def append(self, row):
        self.row = row


def test_a_reason_is_written_down_without_the_name_that_the_counts_would_keep():
    items = type("NoItems", (), {"item_ids": [], "scores_json": b"[]", "propensities": []})()
    answer = Recommendations("anna", items, "b1", True, "unknown user 'anna': popular items", "greedy")
    log = Kept()
    record(log, Exchange("POST", "/recommend"), answer, at_seconds=7.5)
    assert log.row.fallback_reason == "unknown user: popular items"
    assert log.row.user_id == "anna"
    assert log.row.timestamp == 7.5
