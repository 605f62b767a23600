"""How the service runs: every section of `configs/serving.yaml`."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from foretaste.artifacts.store import DEFAULT_ROOT, PRODUCTION
from foretaste.serving.logs.settings import LogConfig
from foretaste.serving.slate_settings import SlateConfig
from foretaste.settings import Settings

DEFAULT_KEYS = "artifacts/keys.json"

Share = Annotated[float, Field(gt=0, le=1)]


class TokenSettings(Settings):
    """Tokens by which the front end names its user (JWT, HS256)."""

    secret_env: str = Field(default="FORETASTE_TOKEN_SECRET", min_length=1)
    """Environment variable that holds the secret, 32 bytes or more. Not set: no tokens are accepted."""
    audience: str = Field(default="foretaste", min_length=1)
    """What `aud` of a token must be."""
    leeway_seconds: float = Field(default=5, ge=0, le=300)
    """How far the clocks of issuer and service may be apart."""


class RateLimitSettings(Settings):
    """How often one caller may ask, over all workers together."""

    key_requests_per_second: float | None = Field(default=None, gt=0)
    """Of one API key; null for no limit. A key can have its own: `foretaste keys create --rate`."""
    user_requests_per_second: float | None = Field(default=10, gt=0)
    """Of one user with a token; null for no limit."""
    burst_seconds: float = Field(default=2, gt=0, le=3600)
    """How many seconds' worth may come at once."""


class SecuritySettings(Settings):
    """Who may ask."""

    keys: str = DEFAULT_KEYS
    """File of the API keys, or the URL of a database: `sqlite:///…`, `postgresql+psycopg://…`."""
    keys_poll_seconds: float = Field(default=2, gt=0, le=3600)
    """How soon a new or revoked key counts."""
    tokens: TokenSettings = TokenSettings()
    rate_limit: RateLimitSettings = RateLimitSettings()
    cors_origins: tuple[str, ...] = ()
    """Web sites whose pages may call the service from a browser, as in `https://shop.example`; none by default."""
    allowed_hosts: tuple[str, ...] = ()
    """Names by which the service may be called; empty: any name where there are keys, else this machine's alone."""


class LimitSettings(Settings):
    """What the service refuses rather than be overrun."""

    queue: int = Field(default=6, ge=1, le=10_000)
    """Requests that may wait in a worker for their turn; those beyond get 503."""
    deadline_ms: float = Field(default=1000, gt=0)
    """A request that waited longer is refused, not computed."""
    body_bytes: int = Field(default=1_000_000, ge=1_000)
    """Largest body."""
    body_seconds: float = Field(default=10, gt=0)
    """A body must have come within this time."""
    drain_seconds: float = Field(default=0, ge=0, le=600)
    """After SIGTERM the service goes on answering for so long while `/ready` says no: time for a load balancer to see
    it. Requests that are being answered are finished in any case."""


class HotSwapSettings(Settings):
    """How a new bundle gets to be served."""

    poll_seconds: float | None = Field(default=2, gt=0, le=3600)
    """How often to look which bundle is in production; null: only `POST /models/reload` changes it."""
    retry_seconds: float = Field(default=60, gt=0)
    """After so long a bundle that was refused is tried again."""


class VariantSettings(Settings):
    """One arm of an experiment."""

    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,40}$")
    """In the request log and in metrics."""
    bundle: str
    """A bundle id, or `production`."""
    share: Share
    """Part of the users."""


class ExperimentSettings(Settings):
    """Several bundles at once, each for its share of the users."""

    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,40}$")
    """Users are divided anew under another name."""
    variants: tuple[VariantSettings, ...] = Field(min_length=1, max_length=20)
    """What the shares leave over goes to `bundle`, as the variant `default`."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [variant.name for variant in self.variants]
        if len(set(names)) < len(names) or "default" in names:
            raise ValueError(f"variants need names of their own, none of them 'default'; found {', '.join(names)}")
        total = sum(variant.share for variant in self.variants)
        if total > 1 + 1e-9:
            raise ValueError(f"the shares add up to {total:g}; expected at most 1, as in share: 0.5 twice")
        return self


class ServingConfig(Settings):
    """Where the service listens, what it serves, to whom, and how much of it."""

    host: str = "127.0.0.1"
    """Address to listen on; the default can be reached from this machine alone, any other needs API keys."""
    port: int = Field(default=8000, ge=0, le=65535)
    """TCP port; 0 takes a free one."""
    workers: int = Field(default=1, ge=1, le=256)
    """Processes; one a core is right."""
    store: Path = DEFAULT_ROOT
    """Folder of the bundles."""
    bundle: str = PRODUCTION
    """A bundle id, or `production` for the live one, followed as it changes."""
    slate: SlateConfig = SlateConfig()
    """How the best items become an answer."""
    log: LogConfig = LogConfig()
    """Requests, feedback and registrations."""
    experiment: ExperimentSettings | None = None
    security: SecuritySettings = SecuritySettings()
    limits: LimitSettings = LimitSettings()
    hot_swap: HotSwapSettings = HotSwapSettings()
    access_log: bool = True
    """One line of JSON a request on stdout."""
