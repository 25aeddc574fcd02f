"""Sessions: what one client's queries leave for its next ones, until it has been silent for a while."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from agenttracer.collector.extensions.clickhouse_http.engine import Handle
from agenttracer.collector.extensions.clickhouse_http.errors import DatabaseError

DEFAULT_SECONDS = 60.0
MAX_SECONDS = 3600.0
_MAX_SESSIONS = 1000


@dataclass
class Session:
    """Settings (SQL literals) of SET, the database of USE, and the handle that holds temporary tables."""

    settings: dict[str, str] = field(default_factory=dict)
    database: str | None = None
    handle: Handle | None = None
    is_busy: bool = False
    expires_at: float = 0.0


class Sessions:
    """Every client's sessions. A user never meets another user's; a session serves one query at a time."""

    def __init__(self) -> None:
        self._sessions: dict[tuple[str, str], Session] = {}

    def acquire(self, user: str, name: str, *, must_exist: bool) -> tuple[Session, list[Handle]]:
        """The session, and handles of sessions that are over, to be closed; raises ``DatabaseError``."""
        expired = self._expire()
        session = self._sessions.get((user, name))
        if session is None:
            if must_exist:
                raise DatabaseError(372, "SESSION_NOT_FOUND", "Session not found")
            if len(self._sessions) >= _MAX_SESSIONS:
                raise DatabaseError(
                    202, "TOO_MANY_SIMULTANEOUS_QUERIES", f"Too many sessions: {_MAX_SESSIONS}"
                )
            session = self._sessions[user, name] = Session()
        if session.is_busy:
            raise DatabaseError(373, "SESSION_IS_LOCKED", "Session is locked by a concurrent client")
        session.is_busy = True
        return session, expired

    def release(self, session: Session, seconds: float) -> None:
        """The query is over: keep the session for so long."""
        session.is_busy = False
        session.expires_at = time.monotonic() + seconds

    def _expire(self) -> list[Handle]:
        now = time.monotonic()
        over = [
            key for key, session in self._sessions.items() if not session.is_busy and session.expires_at < now
        ]
        handles = (self._sessions.pop(key).handle for key in over)
        return [handle for handle in handles if handle is not None]

    def clear(self) -> list[Handle]:
        """Forget every session; the handles to be closed."""
        handles = [session.handle for session in self._sessions.values() if session.handle is not None]
        self._sessions.clear()
        return handles
