"""The rights that sites with prefixes of their own add: those on their keys, and on their groups, and no others."""

from services.access.kafka_rights import kafka_rights
from services.access.names import Names
from services.access.redis_rights import redis_rights
from shared.streams.kafka.access_rows import KafkaRight

SITES = Names(site_prefixes=("shop:", "blog*:"))


def keys_of(names: Names, user: str) -> set[str]:
    (rights,) = (own for own in redis_rights(names, is_log_on_redis=True) if own.user == user)
    return {word for word in rights.line("all:", None).split() if "~" in word and not word.startswith("(")}


def test_aggregate_and_the_dashboard_get_rights_on_the_keys_of_each_site() -> None:
    for user in ("aggregate", "dashboard"):
        more = keys_of(SITES, user) - keys_of(Names(), user) - {"~all:log:enriched-click-data:aggregate-*"}
        assert more
        assert {word.partition("~")[2].partition(":")[0] for word in more} == {"shop", r"blog\*"}
        assert not any(word.endswith(("privacy:erasures", "privacy:sites", ":[0-9]*")) for word in more)
    assert "~shop:rollup:*" in keys_of(SITES, "aggregate")
    assert "%R~shop:rollup:*" in keys_of(SITES, "dashboard")


def test_no_other_user_gets_any() -> None:
    for user in ("enrich", "detect", "traffic", "lookups"):
        assert keys_of(SITES, user) == keys_of(Names(), user)


def test_the_groups_of_sites_may_read() -> None:
    assert "~all:log:enriched-click-data:aggregate-*" in keys_of(SITES, "aggregate")
    more = {*kafka_rights(SITES)} - {*kafka_rights(Names())}
    assert more == {KafkaRight("aggregate", "group", "aggregate-", "Read", is_prefix=True)}
