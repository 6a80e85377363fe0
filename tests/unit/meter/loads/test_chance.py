"""What looks like chance: the first numbers of the published SplitMix64 generator, and spread over all places."""

from __future__ import annotations

from cosem.meter.loads.chance import chance, trait


def test_the_numbers_are_those_of_splitmix64() -> None:
    # Steele, Lea and Flood's generator seeded with 0 gives e220a8397b1dcdaf, 6e789e6aa1b965f4, 06c45d188009454f.
    published = (0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F)
    assert [chance(0, place) for place in range(3)] == [(number >> 11) / 2**53 for number in published]


def test_places_and_seeds_are_spread_evenly() -> None:
    tenths = [0] * 10
    for seed in range(50):
        for place in range(100):
            tenths[int(10 * chance(seed, place))] += 1
    assert all(400 < count < 600 for count in tenths)


def test_traits_differ_by_name_and_seed() -> None:
    assert len({trait(seed, name) for seed in range(20) for name in ("daily", "solar", "shape")}) == 60
