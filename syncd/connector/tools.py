"""What connectors need again and again, and must not each write again. Pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Protocol
from urllib.parse import parse_qsl, urlsplit

import msgspec
from pydantic import AfterValidator

from syncd.connector.http import Reply
from syncd.connector.push import HttpRequest, Verdict
from syncd.connector.session import Session
from syncd.errors import ContractError, SourceUnavailableError
from syncd.model import ActionOutcome, ActionState, Record
from syncd.model.secret import Secret

_GRAVITY = (ActionState.UNCHANGED, ActionState.DONE, ActionState.REFUSED, ActionState.UNKNOWN)
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_SKEW = timedelta(seconds=60)
_MAX_SKEW = timedelta(days=1)
"""A vendor's clock further behind than this would silently read nothing."""
_MOST_KEY_CHARACTERS = 200
_MOST_FIELDS = 1_000
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What `msgspec.json.decode` raises for what is not of the shape. A `msgspec.Raw` of a page that was read may still hold bytes that are no
UTF-8 and numbers out of range: nothing looked at them yet.
"""
DIGEST_BYTES = 32
"""Length of a signature as `is_signed` takes it."""


def _safe(value: str) -> str:
    parts = urlsplit(value)
    if not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("it is an address such as https://api.example.com/v1, without a query")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise ValueError("it begins with https://; http:// is for this machine only")
    return value.rstrip("/")


BaseUrl = Annotated[str, AfterValidator(_safe)]
"""Type of a `base_url` option: https only (http for this machine), no query, no slash at its end."""


def _one_or_two(value: Secret | tuple[Secret, ...]) -> Secret | tuple[Secret, ...]:
    if not isinstance(value, Secret) and not 1 <= len(value) <= 2:
        raise ValueError("it is one secret, or two while it is rotated")
    return value


Secrets = Annotated[Secret | tuple[Secret, ...], AfterValidator(_one_or_two)]
"""Type of a secret that may be a list of two while it is rotated."""


def gravest(outcomes: Sequence[ActionOutcome]) -> ActionOutcome:
    """What came of an action of several writes, at least one: that of which most must be known; of equal ones the last."""
    return max(reversed(outcomes), key=lambda one: _GRAVITY.index(one.state))


def revealed(value: Secrets | None) -> tuple[str, ...]:
    """The texts of one or several secrets."""
    if value is None:
        return ()
    return tuple(one.reveal() for one in (value if isinstance(value, tuple) else (value,)))


def is_one_of(given: str | None, secrets: Iterable[str]) -> bool:
    """Whether a text is one of the secrets; takes as long whichever it is, or none. An empty text never is."""
    found = False
    sent = (given or "").encode("utf-8", "surrogatepass")
    for one in secrets:
        found |= hmac.compare_digest(sent, one.encode()) and bool(one)
    return found


def is_signed(signature: bytes, text: bytes, secrets: Iterable[str]) -> bool:
    """Whether `signature` is the HMAC-SHA256 (32 bytes) of `text` by one of the secrets; in constant time."""
    found = False
    for one in secrets:
        found |= hmac.compare_digest(hmac.new(one.encode(), text, hashlib.sha256).digest(), signature) and bool(one)
    return found


def unhexed(text: str) -> bytes:
    """The bytes of a signature written in hexadecimal; none of what is no such text."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def misplaced(request: HttpRequest, secrets: Iterable[str]) -> Verdict | None:
    """The refusal of a request whose address does not end in one of the secrets, None for one whose does: as if nobody were there."""
    return None if is_one_of(request.tail, secrets) else Verdict(refusal="unknown_source", status=404)


def form_of(body: bytes) -> dict[str, str]:
    """The fields of an URL-encoded form, brackets in names as they are; of a name that came twice the first. Empty if it is none."""
    found: dict[str, str] = {}
    try:
        for name, text in parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS):
            found.setdefault(name, text)
    except ValueError:
        return {}
    return found


def at_path(value: Any, path: str) -> Any:
    """What stands at a path such as `data.id` or `items.0.id`; None where it leads nowhere. A key of that very name goes first."""
    if isinstance(value, dict) and path in value:
        return value[path]
    for step in path.split("."):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isascii() and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def instant(value: Any, zone: Any = None) -> datetime | None:
    """An ISO text or Unix seconds as aware UTC; None of anything else. A text without an offset needs `zone` (a tzinfo)."""
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value.strip())
            if found.tzinfo is None and zone is None:
                return None
            return (found if found.tzinfo is not None else found.replace(tzinfo=zone)).astimezone(UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def key_of(value: Any) -> str:
    """An id as the key of a record: a text or whole number of 1 to 200 characters; `""` for what can be none."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = str(value).strip()
    return text if 0 < len(text) <= _MOST_KEY_CHARACTERS else ""


def is_object(payload: bytes) -> bool:
    """Whether bytes are a JSON object."""
    try:
        msgspec.json.decode(payload, type=dict[str, msgspec.Raw])
    except UNREADABLE:
        return False
    return True


class Dated(Protocol):
    """An answer: the vendor's clock, where it told, and ours when it came."""

    @property
    def at(self) -> datetime | None: ...  # noqa: D102

    @property
    def received_at(self) -> datetime: ...  # noqa: D102


class Horizon:
    """Up to when a pull reads: the vendor's clock less the settling time, never past the run's start.

    Attributes:
        end: Nothing dated at this instant or later is given.
        notice: A sentence when the clocks differ by more than a minute; to be given with a page, once.
    """

    def __init__(self, vendor: str, session: Session, until: datetime) -> None:
        """By our own clock, until `see` has seen an answer; `vendor` is for messages."""
        self._vendor = vendor
        self._settle = timedelta(seconds=session.settle_seconds)
        self._is_seen = False
        self.end = until - self._settle
        self.notice = ""

    def see(self, reply: Dated) -> None:
        """Bring `end` forward by the `Date` of the first answer.

        Raises:
            ContractError: The clocks are more than a day apart.
        """
        if self._is_seen or reply.at is None:
            return
        self._is_seen = True
        skew = reply.at - reply.received_at
        if skew < -_MAX_SKEW:
            raise ContractError(
                f"The clock of {self._vendor} is more than a day behind this machine's.", advice="Set the clock of this machine."
            )
        if abs(skew) > _SKEW:
            self.notice = f"The clocks of {self._vendor} and of this machine differ by {abs(skew.total_seconds()):.0f} s."
        self.end = min(self.end, reply.at - self._settle)

    def told(self) -> str:
        """The notice, once."""
        notice, self.notice = self.notice, ""
        return notice


class Edge:
    """Where a stream that is read in order of time stands: its newest instant, and what was given of that instant.

    A bound may include or exclude, and several records may share an instant: so the edge is read again each time, and what was given
    in the same version is left out. As a cursor: `{"at": ISO text, "seen": {key: hash}}`.
    """

    def __init__(self, state: Mapping[str, Any] | None) -> None:
        """From a cursor, or from the beginning."""
        given = state or {}
        self.at = instant(given.get("at"))
        self._seen: dict[str, str] = dict(given.get("seen") or {})

    def since(self, session: Session) -> datetime | None:
        """The instant to ask from, the overlap included; None from the beginning."""
        return None if self.at is None else self.at - timedelta(seconds=session.overlap_seconds)

    def is_news(self, record: Record) -> bool:
        """Whether it was not given before in this version, and remember it. Records without a time always are.

        Raises:
            Nothing: Also what is older is news: it came late, and the inbox knows what it has.
        """
        if record.source_at is None:
            return True
        digest = hashlib.blake2b(record.payload, digest_size=8).hexdigest()
        if self._seen.get(record.key) == digest:
            return False
        if self.at is None or record.source_at > self.at:
            self.at, self._seen = record.source_at, {}
        if record.source_at == self.at:
            self._seen[record.key] = digest
        return True

    def state(self) -> dict[str, Any]:
        """As a cursor."""
        return {} if self.at is None else {"at": self.at.isoformat(), "seen": dict(self._seen)}


def check_not_repeated(vendor: str, seen: set[str], token: str, reply: Reply[Any]) -> None:
    """Note a page token.

    Raises:
        SourceUnavailableError: It was given before in this walk: the pages go in a circle.
    """
    if token in seen:
        raise SourceUnavailableError(
            f"{vendor} gave the same page token twice.",
            advice="It is tried again with the next run; the page is kept.",
            page=reply.body,
        )
    seen.add(token)


def json_of(document: Mapping[str, Any], names: Sequence[str]) -> bytes:
    """A JSON object of the members `names` of a document that it has, in that order; `msgspec.Raw` members stay as they came."""
    return msgspec.json.encode({name: document[name] for name in names if name in document})
