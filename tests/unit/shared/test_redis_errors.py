"""Redis's error replies: which pass by themselves, which are denials, and which are about the command."""

from typing import Any

import pytest
import redis

from shared.runtime.configuration import ConfigurationError
from shared.runtime.redis_client import REDIS_UNAVAILABLE
from shared.runtime.redis_errors import REDIS_PASSING, AccessDenied, WrongServer, refused_greeting, wrong_server
from shared.runtime.redis_replies import parser_of


def parse(reply: str) -> Any:
    parser: Any = parser_of(1000)
    return parser.parse_error(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "MISCONF Valkey is configured to save RDB snapshots, but it's currently unable to persist to disk",
        "LOADING Redis is loading the dataset in memory",
        "READONLY You can't write against a read only replica.",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "NOREPLICAS Not enough good replicas to write.",
        "CLUSTERDOWN Hash slot not served",
        "TRYAGAIN Multiple keys request during rehashing of slot",
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
        "OOM command not allowed when used memory > 'maxmemory'.",
        "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
        "DENIED Redis is running in protected mode",
        "NOAUTH Authentication required.",
        "WRONGPASS invalid username-password pair or user is disabled.",
        "ERR max number of clients reached",
        "EXECABORT Transaction discarded because of: MISCONF Errors writing to the AOF file: No space left on device",
        "EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.",
    ],
)
def test_an_error_about_the_servers_state_is_waited_out(reply: str) -> None:
    error = parse(reply)
    assert isinstance(error, REDIS_PASSING)
    assert isinstance(error, REDIS_UNAVAILABLE)
    assert reply.rpartition(" ")[2] in str(error)


@pytest.mark.parametrize(
    "reply",
    [
        "ERR unknown command 'NOPE'",
        "WRONGTYPE Operation against a key holding the wrong kind of value",
        "EXECABORT Transaction discarded because of previous errors.",
        "NOSCRIPT No matching script.",
        "CROSSSLOT Keys in request don't hash to the same slot",
    ],
)
def test_an_error_about_the_command_or_the_key_is_not(reply: str) -> None:
    assert isinstance(parse(reply), redis.ResponseError)
    assert not isinstance(parse(reply), REDIS_UNAVAILABLE)


def test_a_denial_is_named_as_one_and_only_services_wait_for_the_right() -> None:
    error = parse("NOPERM User detect has no permissions to run the 'set' command")
    assert isinstance(error, AccessDenied)
    assert str(error) == "access denied by the ACL of Redis: User detect has no permissions to run the 'set' command"
    assert isinstance(error, REDIS_UNAVAILABLE)
    assert not isinstance(error, REDIS_PASSING)


@pytest.mark.parametrize(("mode", "named"), [("cluster", "Redis Cluster"), ("sentinel", "is a Sentinel")])
def test_a_server_of_another_kind_is_a_wrong_setting(mode: str, named: str) -> None:
    error = wrong_server({b"server": b"redis", b"mode": mode.encode()}, "cache:6379")
    assert isinstance(error, ConfigurationError)
    assert str(error).startswith("REDIS_URL: cache:6379 is a ")
    assert named in str(error)
    assert "redis+sentinel://" in str(error)
    assert wrong_server({"mode": "standalone"}, "cache:6379") is None


@pytest.mark.parametrize(
    ("reply", "is_wrong"),
    [
        ("ERR DB index is out of range", True),
        ("ERR unknown command 'HELLO', with args beginning with: '3' ", True),
        ("NOPERM User x has no permissions to run the 'select' command", False),
        ("MISCONF Errors writing to the AOF file", False),
    ],
)
def test_a_refused_greeting_is_a_wrong_setting_where_no_retry_helps(reply: str, is_wrong: bool) -> None:
    assert isinstance(refused_greeting(parse(reply), "cache:6379"), WrongServer) is is_wrong
