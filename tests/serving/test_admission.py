import asyncio

import pytest

from foretaste.serving.admission import Gate, OverloadedError


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def run(*coroutines):
    async def together():
        return await asyncio.gather(*coroutines, return_exceptions=True)

    return asyncio.run(together())


async def computing(gate, arrived=0.0, done=None, name=""):
    async with gate.turn(arrived):
        if done is not None:
            done.append(name)
    return "done"


def test_those_beyond_the_queue_are_refused_before_anything_is_computed():
    gate = Gate(queue=3, deadline_seconds=1, clock=Clock())
    done = []
    outcomes = run(*(computing(gate, done=done, name=n) for n in range(10)))
    assert outcomes[:4] == ["done"] * 4, "one computes, three wait"
    assert all(isinstance(outcome, OverloadedError) for outcome in outcomes[4:])
    assert done == [0, 1, 2, 3], "in the order of their coming"
    assert (gate.num_refused, gate.num_waiting, gate.is_full) == (6, 0, False)


def test_those_announced_have_their_places_until_the_loop_has_been_round():
    gate = Gate(queue=1, deadline_seconds=1, clock=Clock())

    async def scene():
        gate.announce()
        found = [gate.is_full]
        gate.announce()
        found.append(gate.is_full)
        first, second = (asyncio.create_task(computing(gate)) for _ in range(2))
        await asyncio.sleep(0)
        found.append(gate.is_full)
        await asyncio.gather(first, second)
        gate.announce()
        gate.announce()
        await asyncio.sleep(0)
        return [*found, gate.is_full]

    one_computes, and_one_waits, both_came, neither_came = asyncio.run(scene())
    assert (one_computes, and_one_waits, both_came, neither_came) == (False, True, True, False)


def test_who_waited_too_long_is_refused_and_the_next_gets_the_turn():
    clock = Clock()
    gate = Gate(queue=5, deadline_seconds=1, clock=clock)
    done = []

    async def slow():
        async with gate.turn(0.0):
            clock.now = 2.0
        return "slow"

    outcomes = run(slow(), computing(gate, 0.0, done, "late"), computing(gate, 1.5, done, "in time"))
    assert outcomes[0] == "slow"
    assert isinstance(outcomes[1], OverloadedError)
    assert done == ["in time"]
    assert gate.num_expired == 1


def test_a_failure_passes_the_turn_on():
    gate = Gate(queue=5, deadline_seconds=1, clock=Clock())

    async def failing():
        async with gate.turn(0.0):
            raise ValueError("ours")

    outcomes = run(failing(), computing(gate), computing(gate))
    assert isinstance(outcomes[0], ValueError)
    assert outcomes[1:] == ["done", "done"]


@pytest.mark.parametrize("which", [1, 2])
def test_who_goes_away_while_waiting_does_not_hold_up_the_others(which):
    gate = Gate(queue=5, deadline_seconds=1, clock=Clock())

    async def scene():
        tasks = [asyncio.create_task(computing(gate)) for _ in range(4)]
        await asyncio.sleep(0)
        tasks[which].cancel()
        return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), timeout=5)

    outcomes = asyncio.run(scene())
    assert isinstance(outcomes.pop(which), asyncio.CancelledError)
    assert outcomes == ["done"] * 3
    assert gate.num_waiting == 0


def test_who_is_given_the_turn_and_goes_away_at_that_moment_passes_it_on():
    gate = Gate(queue=5, deadline_seconds=1, clock=Clock())

    async def scene():
        first, second, third = (asyncio.create_task(computing(gate)) for _ in range(3))
        await first
        while not gate._waiting or len(gate._waiting) > 1:
            await asyncio.sleep(0)
        second.cancel()
        return await asyncio.wait_for(asyncio.gather(second, third, return_exceptions=True), timeout=5)

    assert asyncio.run(scene())[1] == "done"


def test_two_turns_have_a_turn_of_the_loop_between_them():
    gate = Gate(queue=5, deadline_seconds=1, clock=Clock())
    order = []

    async def scene():
        async def tick():
            for _ in range(20):
                order.append("loop")
                await asyncio.sleep(0)

        await asyncio.gather(computing(gate, done=order, name="a"), computing(gate, done=order, name="b"), tick())

    asyncio.run(scene())
    assert "loop" in order[order.index("a") : order.index("b")]
