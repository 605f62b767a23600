import torch

from foretaste.training.context import derived_seed, deterministic, random_state, seeded, set_random_state


def test_seeds_of_different_uses_differ_and_are_the_same_every_time():
    seeds = [derived_seed(*numbers) for numbers in [(0, 1), (0, 2), (1, 1), (0, 3, 0), (0, 3, 1)]]
    assert len(set(seeds)) == len(seeds)
    assert seeds == [derived_seed(*numbers) for numbers in [(0, 1), (0, 2), (1, 1), (0, 3, 0), (0, 3, 1)]]
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_the_generator_is_seeded_inside_and_the_callers_left_alone(device):
    before = random_state(device)
    with seeded(7, device):
        first = torch.rand(3, device=device)
    assert torch.equal(random_state(device), before)
    with seeded(7, device):
        assert torch.equal(torch.rand(3, device=device), first)


def test_the_state_of_the_generator_comes_back(device):
    with seeded(7, device):
        state = random_state(device)
        first = torch.rand(3, device=device)
        set_random_state(state, device)
        assert torch.equal(torch.rand(3, device=device), first)


def test_a_cpu_adds_up_in_a_fixed_order_inside_the_block_alone():
    before = torch.are_deterministic_algorithms_enabled()
    with deterministic(torch.device("cpu")):
        assert torch.are_deterministic_algorithms_enabled()
    assert torch.are_deterministic_algorithms_enabled() == before
    with deterministic(torch.device("cuda")):
        assert torch.are_deterministic_algorithms_enabled() == before
