"""An ACL of Kafka as a row. Pure."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class KafkaRight:
    """One ACL: a user may perform an operation on a resource, from any host."""

    user: str
    resource: Literal["topic", "group", "transactional-id"]
    name: str
    operation: str  # as kafka-acls.sh names it
    is_prefix: bool = False
