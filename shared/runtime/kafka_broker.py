"""KAFKA_BROKER: the addresses of brokers, checked at startup; the client would retry a wrong one forever. Pure."""

from shared.runtime.redis_url import host_problem


def bootstrap_servers(text: str) -> str:
    """The addresses without spaces. Raises ValueError, whose message contains no login."""
    places = [place.strip() for place in text.split(",")]
    for number, place in enumerate(places, 1):
        if (wrong := _problem(place)) is not None:
            which = f"address {number} of {len(places)} " if len(places) > 1 else "the address "
            raise ValueError(f"{which}{wrong}; expected host:port[,host:port]")
    return ",".join(places)


def _problem(place: str) -> str | None:
    if not place:
        return "is empty"
    if "@" in place:
        return "has a login, which belongs into KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"
    if "://" in place:
        return "has a scheme; leave out what is before the host (KAFKA_SECURITY_PROTOCOL chooses TLS and login)"
    if "/" in place:
        return "has a path"
    wrong = host_problem(place)
    return None if wrong is None else f"has {wrong}"
