"""How often one may try to sign in."""

from services.dashboard.sign_in.attempts import Attempts, Limit


def attempts(**changed: int) -> Attempts:
    return Attempts(0, Limit(3, 10), Limit(10, 1), **changed)


def test_an_address_may_try_a_few_times_and_then_at_a_rate() -> None:
    tried = attempts()
    assert [tried.wait_seconds("192.0.2.1", 0) for _ in range(4)] == [0, 0, 0, 10]
    assert tried.wait_seconds("192.0.2.1", 4) == 6
    assert [tried.wait_seconds("192.0.2.1", 10), tried.wait_seconds("192.0.2.1", 10)] == [0, 10]


def test_another_address_may_try_meanwhile() -> None:
    tried = attempts()
    assert [tried.wait_seconds("192.0.2.1", 0) for _ in range(50)][3:] == [10] * 47
    assert tried.wait_seconds("192.0.2.2", 0) == 0


def test_all_addresses_together_may_try_at_a_rate() -> None:
    tried = attempts()
    allowed = [tried.wait_seconds(f"192.0.2.{host}", 0) == 0 for host in range(200)]
    assert sum(allowed) == 10
    later = [tried.wait_seconds(f"198.51.100.{host}", 5) == 0 for host in range(200)]
    assert sum(later) == 5


def test_memory_is_bounded_and_the_limit_for_all_holds_beyond_it() -> None:
    tried = attempts(most_addresses=10)
    allowed = [tried.wait_seconds(f"192.0.{n // 250}.{n % 250}", 0) == 0 for n in range(5_000)]
    assert sum(allowed) == 10
    assert len(tried._addresses) == 10  # noqa: SLF001 - memory shows nowhere else


def test_a_host_has_a_whole_ipv6_network() -> None:
    tried = attempts()
    assert [tried.wait_seconds(f"2001:db8:0:1::{host:x}", 0) for host in range(4)] == [0, 0, 0, 10]
    assert tried.wait_seconds("2001:db8:0:2::1", 0) == 0
    assert tried.wait_seconds("fe80::1%eth0", 0) == 0


def test_a_mapped_address_is_the_address() -> None:
    tried = attempts()
    assert [tried.wait_seconds(form, 0) for form in ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1")] == [0, 0, 0]
    assert tried.wait_seconds("::ffff:192.0.2.1", 0) == 10


def test_any_text_is_an_address() -> None:
    assert attempts().wait_seconds("", 0) == 0
    assert attempts().wait_seconds("testclient" * 1_000, 0) == 0
