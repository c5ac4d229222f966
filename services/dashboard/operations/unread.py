"""The partitions that no running replica of a service reads although another one does, or one did. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from services.dashboard.operations.standings import Replica

_TOPICS: Final[Mapping[str, tuple[str, ...]]] = {"raw": ("enrich",), "enriched": ("aggregate", "detect", "history")}
"""The services that read each topic."""


def unread_partitions(replicas: Sequence[Replica]) -> dict[str, set[int]]:
    """By service, of the services that have a running replica."""
    found = {}
    for services in _TOPICS.values():
        known = {
            number
            for replica in replicas
            if replica.service in services and not replica.is_replaced
            for number in replica.watched.status.lag
        }
        for service in services:
            running = [replica for replica in replicas if replica.service == service and replica.standing.is_running]
            unread = known.difference(*(replica.watched.status.lag for replica in running))
            if running and unread:
                found[service] = unread
    return found
