"""The check at the door: by which name the service is called, who asks, whether they may, and how often."""

from collections.abc import Iterable, Sequence

from foretaste.errors import ConfigError, RequestError
from foretaste.serving.security.callers import ANYBODY, Caller, ForbiddenError, UnauthorizedError
from foretaste.serving.security.keys import PREFIX, KeyRecord, KeyRing
from foretaste.serving.security.rate_limits import RateLimits
from foretaste.serving.security.roles import PERMISSIONS, PUBLIC, Call
from foretaste.serving.security.tokens import TokenReader, token_secret
from foretaste.serving.settings import SecuritySettings, ServingConfig

Headers = Iterable[tuple[bytes, bytes]]

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_BEARER = "bearer "


class RateLimitedError(RequestError):
    """A caller asks more often than it may."""

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__(f"asked too often; try again in {retry_after_seconds:.1f} seconds.")
        self.retry_after_seconds = retry_after_seconds


class MisdirectedError(RequestError):
    """The service was called by a name that is none of its own."""


class Guard:
    """Decides over each request. What it knows of keys is replaced as a whole when they change.

    Without keys and without a secret for tokens, whoever reaches this machine's loopback address may read and write.
    The service must then be called by a name of this machine: a web page that has its own name point here, to reach
    what only this machine may (DNS rebinding), is turned away.

    Raises:
        ConfigError: the secret for tokens is too short.
    """

    def __init__(
        self, settings: SecuritySettings, records: Sequence[KeyRecord] = (), limits: RateLimits | None = None
    ) -> None:
        self._settings = settings
        secret = token_secret(settings.tokens)
        per_user = settings.rate_limit.user_requests_per_second
        self._tokens = TokenReader(secret, settings.tokens, per_user) if secret else None
        self._limits = limits or RateLimits(settings.rate_limit.burst_seconds)
        self._allowed_hosts = frozenset(host.lower() for host in settings.allowed_hosts)
        self.know(records)

    def know(self, records: Sequence[KeyRecord]) -> None:
        """Take these keys in place of those that were known."""
        self._ring = KeyRing(records, self._settings.rate_limit.key_requests_per_second)

    @property
    def is_open(self) -> bool:
        """Whether anybody may ask: there never was a key, and tokens are not accepted."""
        return not self._ring.has_records and self._tokens is None

    def check(self, call: Call, headers: Headers) -> Caller:
        """Who asks, where they may.

        Raises:
            MisdirectedError: the service goes by another name.
            UnauthorizedError: a key or a token is needed, or the one that came is wrong.
            ForbiddenError: the role does not allow the call.
            RateLimitedError: too often.
        """
        host, authorization, api_key = b"", b"", b""
        for name, value in headers:
            if name == b"authorization":
                authorization = value
            elif name == b"host":
                host = value
            elif name == b"x-api-key":
                api_key = value
        self._check_host(host)
        if call in PUBLIC:
            return ANYBODY
        caller = self._caller(authorization.decode("latin-1"), api_key.decode("latin-1"))
        roles = PERMISSIONS.get(call)
        if roles is not None and caller.role not in roles:
            raise ForbiddenError(
                f"the role '{caller.role}' may not {call[0]} {call[1]}; it takes {' or '.join(sorted(roles))}."
            )
        if caller.requests_per_second is not None:
            wait = self._limits.wait(caller.bucket, caller.requests_per_second)
            if wait:
                raise RateLimitedError(wait)
        return caller

    def _check_host(self, host: bytes) -> None:
        allowed = self._allowed_hosts or (_LOOPBACK_NAMES if self.is_open else None)
        if allowed is None:
            return
        name = host.decode("latin-1").lower()
        without_port = name.rpartition(":")[0] if ":" in name and not name.endswith("]") else name
        if without_port not in allowed:
            raise MisdirectedError(
                f"the service does not answer to the name '{without_port:.100}'; call it by "
                f"{' or '.join(sorted(allowed))}, or add the name to security.allowed_hosts."
            )

    def _caller(self, authorization: str, api_key: str) -> Caller:
        given = api_key
        if authorization[: len(_BEARER)].lower() == _BEARER:
            given = given or authorization[len(_BEARER) :].strip()
        if self.is_open:
            return ANYBODY
        if not given:
            raise UnauthorizedError(
                "expected an API key or a token, as in 'Authorization: Bearer ft_…'; "
                "`foretaste keys create` makes keys."
            )
        if given.startswith(PREFIX):
            caller = self._ring.caller(given)
            if caller is None:
                raise UnauthorizedError("the API key is wrong or revoked.")
            return caller
        if self._tokens is None:
            raise UnauthorizedError("the API key is none: expected one that begins with ft_.")
        return self._tokens.caller(given)


def check_exposure(config: ServingConfig, guard: Guard) -> None:
    """A service that others can reach must know who asks.

    Raises:
        ConfigError: the address is not of the loopback, and there are neither keys nor tokens.
    """
    if guard.is_open and not is_loopback(config.host):
        raise ConfigError(
            f"host {config.host} can be reached by others, and there is no API key in {config.security.keys}; create "
            f"one with `foretaste keys create --name NAME --role read`, or keep --host 127.0.0.1."
        )


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine alone."""
    from ipaddress import ip_address

    if host == "localhost":
        return True
    try:
        return ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return False
