"""Who makes a request."""

from dataclasses import dataclass

from foretaste.errors import RequestError
from foretaste.serving.security.roles import Role


class ForbiddenError(RequestError):
    """The caller is known, but may not do this."""


class UnauthorizedError(RequestError):
    """The caller is not known, and must be."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request, and as what."""

    id: str
    """Id of the API key, `token` or `anybody`: for the log, so never the name of a person."""
    role: Role
    user_id: str | None = None
    """The one user whom a token speaks for; None where the caller may speak for all."""
    requests_per_second: float | None = None
    """How often; None for no limit."""

    def acting_as(self, user_id: str | None) -> str | None:
        """The user a request is about: whom it names, or with a token the user of the token.

        Raises:
            ForbiddenError: a token names another user.
        """
        if self.user_id is None:
            return user_id
        if user_id is not None and user_id != self.user_id:
            raise ForbiddenError("this token speaks for one user, and the request names another; leave user_id out.")
        return self.user_id

    def choosing(self, variant: str | None) -> str | None:
        """The variant that a request names.

        Raises:
            ForbiddenError: a user is in one variant, and does not choose it.
        """
        if variant is not None and self.role is Role.USER:
            raise ForbiddenError("a token does not choose the variant of an experiment; leave variant out.")
        return variant

    @property
    def bucket(self) -> str:
        """What its requests are counted under."""
        return self.id if self.user_id is None else f"user {self.user_id}"


ANYBODY = Caller("anybody", Role.WRITE)
"""Who asks a service that has no keys: this machine alone can, and administers by command."""
