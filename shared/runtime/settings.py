"""Settings: read once from the environment into a typed, frozen object. A wrong one ends the process, naming it.

Each service subclasses `ServiceSettings` in its own `settings` module and adds its own options.
"""

from typing import Annotated, Final, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from shared.events.limits import Limits
from shared.events.refusals import is_dead_letter_topic
from shared.events.time_units import HOUR_MS
from shared.runtime.configuration import CONFIGURATION_ERROR_EXIT_CODE as CONFIGURATION_ERROR_EXIT_CODE
from shared.runtime.configuration import ConfigurationError as ConfigurationError
from shared.runtime.kafka_broker import bootstrap_servers
from shared.runtime.kafka_security import contradictions
from shared.runtime.listening import checked_address
from shared.runtime.redis_security import secured_url
from shared.runtime.secret_files import SecretFiles, is_secret
from shared.runtime.setting_complaints import complaints_of, same_topics

Port = Annotated[int, Field(ge=0, le=65_535)]
ListeningAddress = Annotated[str, AfterValidator(checked_address)]

TopicName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,240}$")]
"""As Kafka allows, with room for the suffix of the dead letters."""

_LONGEST_HOURS: Final = 876_000  # a hundred years


class EnvironmentSettings(BaseSettings):
    """Settings from environment variables, and secret ones (`repr=False`) from the files that NAME_FILE names."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, extra="ignore")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - neither is used
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Where values come from, the first that has one winning."""
        return init_settings, env_settings, SecretFiles(settings_cls)


class RedisSettings(EnvironmentSettings):
    """Where Redis or Valkey is. It holds lookups and rollups, and the event log unless KAFKA_BROKER is set."""

    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0",
        repr=False,  # it may hold a password
        description="Redis or Valkey: redis://[user:password@]host:port/db, rediss:// for TLS, unix:// for a socket, "
        "redis+sentinel://[user:password@]host:port[,host:port]/master/db for Sentinel.",
    )
    redis_username: str | None = Field(default=None, description="User name, if REDIS_URL has none.")
    redis_password: str | None = Field(default=None, repr=False, description="Password, if REDIS_URL has none.")
    redis_ssl_ca_location: str | None = Field(
        default=None, description="File with the CA certificates of Redis, for rediss://. Unset: those of the system."
    )
    redis_ssl_certificate_location: str | None = Field(
        default=None, description="File with this service's certificate, if Redis asks for one."
    )
    redis_ssl_key_location: str | None = Field(default=None, description="File with the key of that certificate.")
    redis_sentinel_username: str | None = Field(
        default=None, description="User name for the Sentinels, if they ask for one; REDIS_USERNAME is for Redis."
    )
    redis_sentinel_password: str | None = Field(
        default=None, repr=False, description="Password for the Sentinels, if they ask for one."
    )
    redis_prefix: str = Field(default="", max_length=64, examples=["shop:"], description="Prefix of every Redis key.")

    @model_validator(mode="after")
    def _complete_url(self) -> Self:
        """Put login and certificates into `redis_url`, which is what every client connects with."""
        self.__dict__["redis_url"] = secured_url(
            self.redis_url.strip(),
            username=self.redis_username,
            password=self.redis_password,
            ca_location=self.redis_ssl_ca_location,
            certificate_location=self.redis_ssl_certificate_location,
            key_location=self.redis_ssl_key_location,
            sentinel_username=self.redis_sentinel_username,
            sentinel_password=self.redis_sentinel_password,
        )
        return self


class LogSettings(EnvironmentSettings):
    """How a service writes its log lines."""

    log_format: Literal["auto", "console", "json"] = Field(
        default="auto",
        description="Log lines to read (console), to parse (json), or console on a terminal and json elsewhere (auto).",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="Lowest level to log.")


class EventSettings(BaseSettings):
    """How long the fields of an event may be."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, extra="ignore")

    max_id_bytes: int = Field(
        default=256, ge=32, le=1024, description="Longest userId, productId or eventId; a longer one is a dead letter."
    )
    max_type_bytes: int = Field(default=64, ge=16, le=512, description="Longest eventType; the rest is cut.")
    max_user_agent_bytes: int = Field(default=1024, ge=64, le=4096, description="Longest userAgent; the rest is cut.")
    max_url_bytes: int = Field(default=2048, ge=64, le=8192, description="Longest url or referrer; the rest is cut.")
    max_title_bytes: int = Field(default=512, ge=32, le=4096, description="Longest title or category; the rest is cut.")

    @property
    def limits(self) -> Limits:
        """The longest fields of an event."""
        return Limits(
            id_bytes=self.max_id_bytes,
            type_bytes=self.max_type_bytes,
            user_agent_bytes=self.max_user_agent_bytes,
            url_bytes=self.max_url_bytes,
            title_bytes=self.max_title_bytes,
        )


class HealthSettings(EnvironmentSettings):
    """Where a service answers probes and Prometheus."""

    health_port: Port = Field(
        default=0,
        examples=[8081],
        description="Port of the endpoint for /health, /livez, /readyz and /metrics; 0 disables it.",
    )
    health_address: ListeningAddress = Field(
        default="127.0.0.1",
        description="IP address of that endpoint; 0.0.0.0 is every interface, as probes of a container and Prometheus "
        "need.",
    )


class ServiceSettings(RedisSettings, LogSettings, EventSettings, HealthSettings):
    """What every service that reads or writes the event log needs."""

    kafka_broker: Annotated[str, AfterValidator(bootstrap_servers)] | None = Field(
        default=None,
        examples=["kafka:9092"],
        description="Kafka bootstrap servers, host:port[,host:port]. Unset: the event log is Redis Streams.",
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="Security protocol of the brokers."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        default=None, examples=["SCRAM-SHA-512"], description="SASL mechanism, for a SASL_ security protocol."
    )
    kafka_sasl_username: str | None = Field(default=None, description="SASL user name.")
    kafka_sasl_password: str | None = Field(default=None, repr=False, description="SASL password.")
    kafka_ssl_ca_location: str | None = Field(default=None, description="File with the CA certificates of the brokers.")
    kafka_ssl_certificate_location: str | None = Field(
        default=None, description="File with this service's certificate, if the brokers ask for one."
    )
    kafka_ssl_key_location: str | None = Field(default=None, description="File with the key of that certificate.")
    kafka_instance_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]{1,249}$",
        examples=["aggregate-1"],
        description="Name of this replica, unique within its service: restarted in time, it keeps its partitions.",
    )
    kafka_session_seconds: int = Field(
        default=10,
        ge=6,  # brokers refuse less by default
        le=300,
        description="Seconds of silence, 6 to 300, after which a replica's partitions move to the others.",
    )
    raw_topic: TopicName = Field(default="click-data", description="Topic of raw clicks.")
    enriched_topic: TopicName = Field(default="enriched-click-data", description="Topic of enriched clicks.")
    partitions: int = Field(default=4, ge=1, le=1024, description="Partitions of a topic that a service creates.")
    retention_hours: float = Field(
        default=24,
        ge=9,
        le=_LONGEST_HOURS,
        description="Hours that a created topic keeps its records; at least 9, for rebuilding state.",
    )
    raw_retention_hours: float | None = Field(
        default=None,
        gt=0,
        le=_LONGEST_HOURS,
        examples=[24],
        description="The same for the raw topic, which holds what producers sent. Unset: the same.",
    )
    dlq_retention_hours: float | None = Field(
        default=None,
        gt=0,
        le=_LONGEST_HOURS,
        examples=[24],
        description="The same for dead letters, which hold what producers sent. Unset: the same.",
    )
    redis_log_records: int = Field(
        default=1_000_000,
        ge=1000,
        le=10**12,
        description="Maximum records per partition on the Redis log, 0.6 KB each; the oldest are dropped, even unread.",
    )
    redis_log_megabytes: int | None = Field(
        default=None,
        ge=1,
        le=10**9,
        examples=[1024],
        description="Maximum megabytes of the whole log on Redis; the oldest records of its largest partitions are "
        "dropped, even unread. Unset: what leaves a tenth of Redis's maxmemory free.",
    )

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        found = contradictions(
            broker=self.kafka_broker,
            protocol=self.kafka_security_protocol,
            mechanism=self.kafka_sasl_mechanism,
            username=self.kafka_sasl_username,
            password=self.kafka_sasl_password,
            ca_location=self.kafka_ssl_ca_location,
            certificate_location=self.kafka_ssl_certificate_location,
            key_location=self.kafka_ssl_key_location,
        )
        names = [name for name in type(self).model_fields if name.endswith("_topic")]
        found += same_topics({name.upper(): getattr(self, name) for name in names})
        if found:
            raise ValueError("\n".join(found))
        return self

    @property
    def shared_prefix(self) -> str:
        """Prefix of the Redis keys that all services share: the event log on Redis, and the list of erasures."""
        return self.redis_prefix

    @property
    def retention_ms(self) -> int:
        """`retention_hours` in milliseconds."""
        return round(self.retention_hours * HOUR_MS)

    def retention_ms_of(self, topic: str) -> int:
        """How long the topic keeps its records."""
        hours = self._own_retention_hours(topic)
        return round((self.retention_hours if hours is None else hours) * HOUR_MS)

    def sets_retention_of(self, topic: str) -> bool:
        """Whether the topic holds what producers sent and has a retention of its own."""
        return self._own_retention_hours(topic) is not None

    def _own_retention_hours(self, topic: str) -> float | None:
        if is_dead_letter_topic(topic):
            return self.dlq_retention_hours
        return self.raw_retention_hours if topic == self.raw_topic else None

    def shown(self) -> dict[str, object]:
        """The options that have a value, without secrets, for the log."""
        secret = {name for name, field in type(self).model_fields.items() if is_secret(field)}
        return self.model_dump(mode="json", exclude=secret, exclude_none=True)


SettingsType = TypeVar("SettingsType", bound=BaseSettings)


def read_settings(settings_type: type[SettingsType]) -> SettingsType:
    """Read `settings_type` from the environment. Raises ConfigurationError."""
    try:
        return settings_type()
    except ValidationError as error:
        raise ConfigurationError("\n".join(complaints_of(settings_type, error))) from None
