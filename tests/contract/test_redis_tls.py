"""Redis over TLS with client certificates: valid ones work, all others are refused and waited out."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from shared.runtime.redis_client import REDIS_UNAVAILABLE, connect
from shared.runtime.settings import ServiceSettings
from shared.streams.choose import open_log
from tests.conftest import or_skip
from tests.support.servers.certificates import Authority, Certificate
from tests.support.servers.event_logs import Owner, a_group, a_topic, append, read
from tests.support.servers.tls_redis import running_tls_redis


@dataclass(frozen=True)
class Site:
    url: str
    ours: Authority
    other: Authority


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("tls")
    ours, other = Authority(folder / "ours"), Authority(folder / "other")
    with or_skip(lambda: running_tls_redis(folder, ours)) as url:
        yield Site(url, ours, other)


def settings(site: Site, ca: Path, certificate: Certificate | None) -> ServiceSettings:
    return ServiceSettings(
        redis_url=site.url,
        redis_ssl_ca_location=str(ca),
        redis_ssl_certificate_location=str(certificate.chain) if certificate else None,
        redis_ssl_key_location=str(certificate.key) if certificate else None,
    )


def test_a_certificate_opens_redis_and_the_event_log(site: Site) -> None:
    chosen = settings(site, site.ours.ca, site.ours.certify("enrich"))
    with connect(chosen.redis_url) as client:
        assert client.set("key", "value")
    log = open_log(chosen, "test")
    topic = a_topic(log)
    append(log, topic, b"click")
    with log.consumer(topic, a_group(), Owner()) as consumer:
        assert [record.value for record in read(consumer, 1)] == [b"click"]


def test_a_client_without_a_certificate_is_refused(site: Site) -> None:
    refused(settings(site, site.ours.ca, None), "certificate required|closed|reset|EOF|broken")


def test_a_certificate_of_another_authority_is_refused(site: Site) -> None:
    refused(
        settings(site, site.ours.ca, site.other.certify("enrich")), "unknown ca|closed|reset|verify failed|EOF|broken"
    )


def test_a_server_of_another_authority_is_refused(site: Site) -> None:
    refused(settings(site, site.other.ca, site.ours.certify("detect")), "certificate verify failed")


def test_a_server_under_another_name_is_refused(site: Site) -> None:
    chosen = settings(site, site.ours.ca, site.ours.certify("aggregate"))
    with (
        connect(chosen.redis_url.replace("127.0.0.1", "localhost")) as client,
        pytest.raises(REDIS_UNAVAILABLE) as error,
    ):
        client.ping()
    assert "mismatch" in str(error.value) or "verify failed" in str(error.value)


def test_a_mismatch_of_tls_and_plain_text_is_named(site: Site, redis_url: str) -> None:
    for url, reason in (
        (site.url.replace("rediss://", "redis://"), "if it expects TLS, write rediss://"),
        (redis_url.replace("redis://", "rediss://"), "it does not speak TLS here; expected redis://"),
    ):
        with connect(url, timeout_seconds=1) as client, pytest.raises(redis.ConnectionError, match=reason):
            client.ping()


def refused(chosen: ServiceSettings, reason: str) -> None:
    """As an error that services wait out."""
    with connect(chosen.redis_url) as client, pytest.raises(redis.ConnectionError, match=f"(?i){reason}"):
        client.ping()
