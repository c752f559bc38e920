"""The options of `type: rest`: a REST interface described in syncd.yaml. Belongs to rest.

Everything that can be wrong is refused here, with the place in the file: a pull meets a description that makes sense.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, field_validator, model_validator

from connectors.rest.sections import Auth, Name, NoPaging, OAuth2Auth, Paging, Section, header_name
from syncd.connector import Options, Secret
from syncd.connector.tools import BaseUrl

_SECRET_NAMES = re.compile(r"token|secret|passw|api_?-?key|^key$|^auth|signature|credential", re.IGNORECASE)
_SECRET_HEADERS = re.compile(r"authorization|cookie|token|secret|key|passw", re.IGNORECASE)

Scalar = str | int | float | bool


def _zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError(f'there is no time zone "{value}"; write it as Europe/Berlin')
    return value


def _path(value: str) -> str:
    if not re.fullmatch(r"/[A-Za-z0-9_.~!$&'()*+,;=:@%/-]*", value) or "/../" in f"{value}/":
        raise ValueError("it begins with / and holds no query; parameters stand in params:")
    return value


Zone = Annotated[str, AfterValidator(_zone)]
TIME_FORMATS = "iso, unix (seconds), unix_ms, or a pattern of strptime such as %d.%m.%Y %H:%M:%S"


class UpdatedAt(Section):
    """Where a record says when it changed last."""

    path: str = Field(description="Path of the time in a record.", examples=["updated_at"])
    format: str = Field(default="iso", description=f"How it is written: {TIME_FORMATS}.")
    zone: Zone | None = Field(
        default=None,
        description="Zone of times without an offset; without it such a time counts as none.",
        examples=["Europe/Berlin"],
    )

    @model_validator(mode="after")
    def _is_known(self) -> UpdatedAt:
        _check_format(self.format)
        if "%" in self.format and "%z" not in self.format and self.zone is None:
            raise ValueError("a pattern without %z needs zone, such as UTC")
        return self


class Cursor(Section):
    """How only what has changed is asked for."""

    since: Name = Field(description="Parameter with the time from which on changes are wanted.", examples=["updated_since"])
    until: Name | None = Field(default=None, description="Parameter with the end of the window.", examples=["updated_before"])
    format: str = Field(default="iso", description=f"How times are written in parameters: {TIME_FORMATS}.")
    zone: Zone = Field(default="UTC", description="Zone in which times are written by a pattern.")
    sort: dict[str, Scalar] = Field(
        default={},
        description="Parameters that sort the list by updated_at, oldest first. A list that then comes otherwise is an error.",
        examples=[{"sort": "updated_at", "order": "asc"}],
    )
    is_sorted: bool = Field(default=False, description="The list comes sorted so by itself.")

    @field_validator("format")
    @classmethod
    def _known(cls, value: str) -> str:
        _check_format(value)
        return value

    @property
    def is_ordered(self) -> bool:
        """Whether the list is read in order of time."""
        return bool(self.sort) or self.is_sorted


class RestLimits(Section):
    """What the service bears."""

    calls_per_second: float = Field(default=2.0, ge=0, le=100, description="Calls begun per second; 0 for any number.")
    connections: int = Field(default=2, ge=1, le=20, description="Calls under way at once.")
    read_timeout_seconds: float = Field(default=120.0, ge=1, le=600, description="Longest silence while an answer is awaited.")


class RestOptions(Options):
    """Options of `type: rest`."""

    base_url: BaseUrl = Field(description="Root of the interface, https only.", examples=["https://api.example.com/v1"])
    path: Annotated[str, AfterValidator(_path)] = Field(description="The list, under base_url.", examples=["/contacts"])
    method: Literal["GET", "POST"] = Field(default="GET", description="POST is for searches that change nothing; it is repeated.")
    params: dict[str, Scalar] = Field(
        default={}, description="Fixed parameters of the query; never a secret.", examples=[{"status": "active"}]
    )
    body: dict[str, Any] | None = Field(
        default=None, description="Body of a POST, as JSON.", examples=[{"filter": {"status": "active"}}]
    )
    parameters_in: Literal["query", "body"] = Field(
        default="query", description="Where parameters of cursor and paging go; in a body their names are paths (filter.since)."
    )
    headers: dict[str, str | Secret] = Field(
        default={}, description="More headers; a value may be a secret.", examples=[{"X-Account": "42"}]
    )
    auth: Auth | None = Field(default=None, description="How syncd logs in.")
    records: str = Field(
        description='Path of the list of records in the answer; `""` where the answer is the list.', examples=["data.items"]
    )
    key: str | list[str] = Field(
        description="Path of what identifies a record for ever, or several that do so together. Not an address: those change.",
        examples=["id"],
    )
    leave_out: list[str] = Field(
        default=[],
        description="Fields of a record that are not stored: what nobody needs to know, and what is another one each time.",
        examples=[["_links", "ip_address"]],
    )
    updated_at: UpdatedAt | None = Field(default=None, description="Where a record says when it changed last.")
    cursor: Cursor | None = Field(
        default=None,
        description="How only what has changed is asked for; without it everything is read each time, at no further cost.",
    )
    paging: Paging = Field(default=NoPaging(), description="How the list comes in pages.")
    limits: RestLimits = Field(default=RestLimits(), description="What the service bears.")
    throttle: list[Annotated[int, Field(ge=400, le=599)]] = Field(
        default=[], description="Statuses that mean too many calls, beside 429.", examples=[[403]]
    )

    @property
    def refresh_token(self) -> Secret | None:
        """The one that is configured: what is kept of another one is not sent any more."""
        return self.auth.refresh_token if isinstance(self.auth, OAuth2Auth) else None

    @field_validator("params")
    @classmethod
    def _no_secrets(cls, value: dict[str, Scalar]) -> dict[str, Scalar]:
        for name in value:
            if _SECRET_NAMES.search(name):
                raise ValueError(
                    f'"{name}" looks like a secret, which never stands in an address; send it by auth (type: header)'
                )
        return value

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, value: dict[str, str | Secret]) -> dict[str, str | Secret]:
        for name, one in value.items():
            header_name(name)
            if isinstance(one, str) and _SECRET_HEADERS.search(name):
                raise ValueError(f'the value of "{name}" looks like a secret; write it as {{env: NAME}}')
            if isinstance(one, str) and not (one.isascii() and one.isprintable()):
                raise ValueError(f'the value of "{name}" holds characters that cannot be sent')
        return value

    @field_validator("key")
    @classmethod
    def _is_a_path(cls, value: str | list[str]) -> str | list[str]:
        paths = [value] if isinstance(value, str) else value
        if not paths or not all(one.strip() for one in paths):
            raise ValueError("it is the path of what identifies a record, such as id")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> RestOptions:
        if self.body is not None and self.method == "GET":
            raise ValueError("body is for method: POST")
        if self.parameters_in == "body" and self.method == "GET":
            raise ValueError("parameters_in: body is for method: POST")
        if self.cursor is not None and self.updated_at is None:
            raise ValueError("cursor needs updated_at: where a record says when it changed last")
        is_counted = self.paging.type in ("page", "offset")
        if self.cursor is not None and is_counted and not self.cursor.is_ordered:
            # Whoever changes a record moves those behind it to other pages: one is passed over, and the cursor goes over it.
            raise ValueError(
                f"paging by {self.paging.type} with a cursor needs cursor.sort (or is_sorted), or records are passed over "
                "while the list moves; without cursor everything is read each time"
            )
        return self


def _check_format(value: str) -> None:
    if value not in ("iso", "unix", "unix_ms") and "%" not in value:
        raise ValueError(f"format is {TIME_FORMATS}")


def zone_of(name: str | None) -> ZoneInfo | None:
    """A zone by its name, None for none."""
    return None if name is None else ZoneInfo(name)
