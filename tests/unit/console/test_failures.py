"""An error of a bug keeps its traceback; an expected one is a message."""

from redis import exceptions as redis

from mixrelay.console.exits import ExitCode
from mixrelay.console.failures import explain, explain_redis
from mixrelay.shared.errors import ConfigurationError

URL = "redis://ann:s3cret@h/0"


def test_a_bug_is_not_explained_away() -> None:
    assert explain(KeyError("x")) is None
    assert explain(ModuleNotFoundError("no", name="ours.broken")) is None


def test_a_setting_that_cannot_work_is_usage() -> None:
    failure = explain(ConfigurationError("set it"))
    assert failure
    assert (failure.code, failure.what) == (ExitCode.USAGE, "set it")


def test_every_error_of_redis_has_a_code_and_something_to_do() -> None:
    kinds = {
        redis.BusyLoadingError("LOADING"): ExitCode.UNREACHABLE,
        redis.ConnectionError("Error 111"): ExitCode.UNREACHABLE,
        redis.TimeoutError("Timeout"): ExitCode.UNREACHABLE,
        redis.AuthenticationError("WRONGPASS"): ExitCode.REFUSED,
        redis.NoPermissionError("no rights"): ExitCode.REFUSED,
        redis.OutOfMemoryError("OOM"): ExitCode.REFUSED,
        redis.ReadOnlyError("READONLY"): ExitCode.REFUSED,
        redis.ResponseError("MISCONF disk"): ExitCode.REFUSED,
        redis.MovedError("7 other:6379"): ExitCode.REFUSED,
        redis.AskError("7 other:6379"): ExitCode.UNREACHABLE,
        redis.TryAgainError("Multiple keys request"): ExitCode.UNREACHABLE,
        redis.ClusterDownError("Hash slot not served"): ExitCode.UNREACHABLE,
        redis.MasterDownError("Link with MASTER is down"): ExitCode.UNREACHABLE,
        redis.ResponseError("something new"): ExitCode.REFUSED,
        redis.RedisError(""): ExitCode.REFUSED,
    }
    for error, code in kinds.items():
        failure = explain_redis(error, URL).failure
        assert failure.code == code, error
        assert failure.todo
        assert "s3cret" not in failure.what + failure.todo
        assert "redis://ann:***@h/0" in failure.what
