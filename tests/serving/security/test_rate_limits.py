import pytest

from foretaste.serving.security.rate_limits import RateLimits, make_shared_buckets


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_a_burst_and_then_the_rate(clock):
    limits = RateLimits(2.0, clock=clock)  # at 5 a second, 10 may come at once
    waits = [limits.wait("a", 5) for _ in range(11)]
    assert waits[:10] == [0] * 10
    assert waits[10] == pytest.approx(0.2)
    clock.now += 0.2
    assert limits.wait("a", 5) == 0
    assert limits.wait("a", 5) == pytest.approx(0.2)
    clock.now += 100
    assert [limits.wait("a", 5) for _ in range(11)][:10] == [0] * 10


def test_a_slow_rate_still_lets_one_through(clock):
    limits = RateLimits(2.0, clock=clock)
    assert limits.wait("a", 0.1) == 0
    assert limits.wait("a", 0.1) == pytest.approx(10)


def test_callers_do_not_share_their_limits(clock):
    limits = RateLimits(1.0, clock=clock)
    assert [limits.wait(name, 1) for name in ("a", "b", "c")] == [0, 0, 0]
    assert limits.wait("a", 1) > 0


def test_workers_count_together(clock, tmp_path):
    make_shared_buckets(tmp_path / "buckets")
    workers = [RateLimits(2.0, tmp_path / "buckets", clock=clock) for _ in range(2)]
    assert [workers[n % 2].wait("a", 5) for n in range(10)] == [0] * 10
    assert workers[0].wait("a", 5) > 0
    assert workers[1].wait("a", 5) > 0


def test_memory_does_not_grow_with_callers(clock):
    limits = RateLimits(1.0, clock=clock)
    for caller in range(1000):
        limits.wait(str(caller), 1)
    assert limits._full_at.nbytes == 8 * 65_536
