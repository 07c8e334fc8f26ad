"""What every Clock, Ids and Randomness promise."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from cartwheel.ports import Clock, Ids, Ports, Randomness, from_rfc3339, rfc3339
from cartwheel.testing._base import Contract, OpenHost
from cartwheel.testing._empty_app import empty_app

THREADS = 8


class _TimeCase(Contract):
    @pytest.fixture
    def ports(self, open_host: OpenHost) -> Iterator[Ports]:
        """Give the ports of a host that is closed afterwards."""
        with open_host(empty_app()) as host:
            yield host.ports


class ClockContract(_TimeCase):
    """Holds a Clock to its port."""

    @pytest.fixture
    def clock(self, ports: Ports) -> Clock:
        """Give the clock."""
        return ports.clock

    def test_now_is_seconds_since_the_epoch_in_our_times(self, clock: Clock) -> None:
        now = clock.now()
        assert from_rfc3339("2020-01-01T00:00:00Z") < now < from_rfc3339("2100-01-01T00:00:00Z")
        assert abs(from_rfc3339(rfc3339(now)) - now) <= 0.001

    def test_time_never_goes_back(self, clock: Clock) -> None:
        seen = [clock.now() for _ in range(1000)]
        assert seen == sorted(seen)

    @pytest.mark.parametrize("seconds", [0.05, 0.3])
    def test_a_sleep_lets_at_least_its_time_pass(self, clock: Clock, seconds: float) -> None:
        before = clock.now()
        clock.sleep(seconds)
        assert seconds - 0.005 <= clock.now() - before < seconds + 5

    @pytest.mark.parametrize("seconds", [0, -1])
    def test_a_sleep_of_no_time_returns_at_once(self, clock: Clock, seconds: float) -> None:
        before = clock.now()
        clock.sleep(seconds)
        assert 0 <= clock.now() - before < 1


class IdsContract(_TimeCase):
    """Holds Ids to its port."""

    @pytest.fixture
    def ids(self, ports: Ports) -> Ids:
        """Give the maker of ids."""
        return ports.ids

    @pytest.mark.parametrize("prefix", ["ord", "evt", "x", "prod2"])
    def test_an_id_is_its_prefix_and_something_unique(self, ids: Ids, prefix: str) -> None:
        made = ids.new(prefix)
        assert re.fullmatch(rf"{prefix}_[A-Za-z0-9]+", made)
        assert len(made) <= 64

    def test_ids_are_unique_over_threads_and_prefixes(self, ids: Ids) -> None:
        def work(number: int) -> list[str]:
            return [ids.new("one" if number % 2 else "two") for _ in range(500)]

        with ThreadPoolExecutor(THREADS) as pool:
            made = [one for some in pool.map(work, range(THREADS)) for one in some]
        assert len(set(made)) == THREADS * 500

    @pytest.mark.parametrize("size", [16, 32, 48])
    def test_a_token_carries_so_many_bytes_in_url_safe_form(self, ids: Ids, size: int) -> None:
        token = ids.token(size)
        assert re.fullmatch(r"[A-Za-z0-9_-]+", token)
        assert len(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))) == size

    def test_a_token_has_32_bytes_unless_told_otherwise(self, ids: Ids) -> None:
        assert len(ids.token()) == len(ids.token(32)) == 43

    def test_tokens_never_repeat(self, ids: Ids) -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            made = list(pool.map(lambda _: ids.token(16), range(1000)))
        assert len(set(made)) == 1000


class RandomnessContract(_TimeCase):
    """Holds Randomness to its port."""

    @pytest.fixture
    def random(self, ports: Ports) -> Randomness:
        """Give the source of random numbers."""
        return ports.random

    def test_numbers_lie_between_0_and_1_and_spread_over_it(self, random: Randomness) -> None:
        numbers = [random.uniform() for _ in range(2000)]
        assert all(0 <= number < 1 for number in numbers)
        # Ten standard deviations: a sound source fails this once in 10^23 runs.
        assert abs(sum(numbers) / len(numbers) - 0.5) < 0.065
        assert min(numbers) < 0.05
        assert max(numbers) > 0.95
        assert len(set(numbers)) > 1900

    def test_numbers_may_be_asked_for_from_several_threads(self, random: Randomness) -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            numbers = list(pool.map(lambda _: random.uniform(), range(1000)))
        assert all(0 <= number < 1 for number in numbers)
        assert len(set(numbers)) > 900
