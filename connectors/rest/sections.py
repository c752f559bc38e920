"""Sections of the options of `type: rest`: how to log in, and how a list comes in pages. Belongs to rest."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from syncd.connector import Options, Secret
from syncd.connector.tools import BaseUrl

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_OWN_HEADERS = ("host", "content-length", "content-type", "transfer-encoding", "connection")


def _name(value: str) -> str:
    if not re.fullmatch(r"[^\s&?#=]{1,200}", value):
        raise ValueError("it is the name of a parameter, or the path of a field of the body")
    return value


Name = Annotated[str, AfterValidator(_name)]


def header_name(value: str) -> str:
    """A validator of the name of a header.

    Raises:
        ValueError: It is none, or one that syncd sets itself.
    """
    if not _HEADER_NAME.fullmatch(value) or value.lower() in _OWN_HEADERS:
        raise ValueError(f'"{value}" is no header that can be set')
    return value


class Section(Options):
    """A part of the options."""


class BearerAuth(Section):
    """A token that is sent as `Authorization: Bearer`."""

    type: Literal["bearer"] = Field(description="A token in `Authorization: Bearer`.")
    token: Secret = Field(description="The token.", examples=[{"env": "REST_TOKEN"}])


class HeaderAuth(Section):
    """A key in a header of its own."""

    type: Literal["header"] = Field(description="A key in a header of its own.")
    name: str = Field(description="Name of the header.", examples=["X-Api-Key"])
    value: Secret = Field(description="The key.", examples=[{"env": "REST_KEY"}])
    prefix: str = Field(default="", description="What stands before the key in the header.", examples=["Token "])

    @field_validator("name")
    @classmethod
    def _is_header(cls, value: str) -> str:
        return header_name(value)


class BasicAuth(Section):
    """User and password."""

    type: Literal["basic"] = Field(description="User and password in `Authorization: Basic`.")
    user: str = Field(description="The user; some services want the key here.", examples=["syncd"])
    password: Secret = Field(description="The password.", examples=[{"env": "REST_PASSWORD"}])


class OAuth2Auth(Section):
    """Access tokens that are fetched, and fetched anew when they end."""

    type: Literal["oauth2"] = Field(description="Access tokens that syncd fetches and renews.")
    grant: Literal["client_credentials", "refresh_token"] = Field(description="How a token is asked for.")
    token_url: BaseUrl = Field(description="Where tokens are given out.", examples=["https://login.example.com/oauth/token"])
    client_id: str = Field(description="Id of the app.", examples=["syncd"])
    client_secret: Secret = Field(description="Its secret.", examples=[{"env": "REST_CLIENT_SECRET"}])
    refresh_token: Secret | None = Field(
        default=None,
        description="Of the grant refresh_token; a newer one that is given in exchange is kept in the store.",
        examples=[{"env": "REST_REFRESH_TOKEN"}],
    )
    scope: str = Field(default="", description="What is asked for, separated by blanks.", examples=["leads.read"])
    client_in: Literal["body", "header"] = Field(default="body", description="Where id and secret are sent.")

    @model_validator(mode="after")
    def _has_refresh(self) -> OAuth2Auth:
        if self.grant == "refresh_token" and self.refresh_token is None:
            raise ValueError("the grant refresh_token needs refresh_token")
        return self


Auth = Annotated[BearerAuth | HeaderAuth | BasicAuth | OAuth2Auth, Field(discriminator="type")]


class NoPaging(Section):
    """One answer holds everything."""

    type: Literal["none"] = Field(default="none", description="One answer holds everything.")


_END = "What says that a page was the last"
_END_PATH = Field(default=None, description="Path of what the end is read from, in the answer.", examples=["meta.total"])
_NEEDS_PATH = ("total", "pages", "has_more")


class _Paged(Section):
    size: int = Field(default=100, ge=1, le=10_000, description="Records per page.")
    size_param: Name | None = Field(
        default="limit", description="Parameter that asks for so many; null where the service decides.", examples=["per_page"]
    )

    @model_validator(mode="after")
    def _has_end_path(self) -> _Paged:
        end = getattr(self, "end", "")
        if end in _NEEDS_PATH and getattr(self, "end_path", None) is None:
            raise ValueError(f"end: {end} needs end_path, such as meta.{end}")
        return self


class PagePaging(_Paged):
    """Pages by number."""

    type: Literal["page"] = Field(description="Pages by number.")
    param: Name = Field(default="page", description="Parameter with the number of the page.")
    first: int = Field(default=1, ge=0, le=1, description="Number of the first page.")
    end: Literal["total", "pages", "has_more", "empty_page", "short_page"] = Field(
        description=f"{_END}: the count of all records, the count of pages, a yes or no (all three at end_path), a page without records, or one that is not full.",
    )
    end_path: str | None = _END_PATH


class OffsetPaging(_Paged):
    """Pages by how many records to pass over."""

    type: Literal["offset"] = Field(description="Pages by how many records to pass over.")
    param: Name = Field(default="offset", description="Parameter with that number.")
    end: Literal["total", "has_more", "empty_page", "short_page"] = Field(
        description=f"{_END}: the count of all records, a yes or no (both at end_path), a page without records, or one that is not full."
    )
    end_path: str | None = _END_PATH


class TokenPaging(_Paged):
    """Each page names the next one by a token."""

    type: Literal["token"] = Field(description="Each page holds a token for the next one.")
    param: Name = Field(description="Parameter in which the token is sent back.", examples=["cursor"])
    path: str | None = Field(default=None, description="Path of the token in the answer.", examples=["meta.next_cursor"])
    last_record: str | None = Field(default=None, description="Or its path in the last record of the page.", examples=["id"])
    end: Literal["missing_token", "has_more", "empty_page", "short_page"] = Field(
        default="missing_token",
        description=f"{_END}: no token, a yes or no (at end_path), a page without records, or one that is not full.",
    )
    end_path: str | None = _END_PATH

    @model_validator(mode="after")
    def _has_one_place(self) -> TokenPaging:
        if (self.path is None) == (self.last_record is None):
            raise ValueError("give path or last_record, one of them")
        if self.last_record is not None and self.end == "missing_token":
            raise ValueError("with last_record the end is has_more, empty_page or short_page")
        return self


class LinkPaging(_Paged):
    """Each page links to the next one, on the same host."""

    type: Literal["link"] = Field(description="Each page holds the address of the next one, on the same host.")
    path: str | None = Field(
        default=None,
        description="Path of the address in the answer; the header `Link` (rel=next) without it.",
        examples=["paging.next"],
    )


Paging = Annotated[NoPaging | PagePaging | OffsetPaging | TokenPaging | LinkPaging, Field(discriminator="type")]
