"""The options of `type: csv_drop`. Belongs to csv_drop."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from syncd.connector import Options, Secret

_HOST_KEY = re.compile(r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) ([A-Za-z0-9+/]{40,}={0,2})")


class SftpOptions(Options):
    """`sftp:`: files that lie on another machine."""

    host: str = Field(description="Name or address of the server.", examples=["files.example.com"])
    port: int = Field(default=22, ge=1, le=65_535, description="Its port.")
    user: str = Field(description="Who logs in.", examples=["syncd"])
    key: Secret | None = Field(
        default=None,
        description="Private key (text of the file); better than a password.",
        examples=[{"file": "/run/credentials/sftp_key"}],
    )
    passphrase: Secret | None = Field(
        default=None, description="Of the key, if it has one.", examples=[{"env": "SFTP_PASSPHRASE"}]
    )
    password: Secret | None = Field(
        default=None, description="Where the server takes no key.", examples=[{"env": "SFTP_PASSWORD"}]
    )
    host_key: list[str] = Field(
        description="Keys of the server, as `ssh-keyscan HOST` prints them; compare them with what its administrator says. No other server is trusted.",
        examples=[["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJXFPq5tmOLH3vCWmKXuWZgCTDZLpmK1Y1IqBGbqMGQa"]],
    )
    folder: str = Field(default=".", description="Folder on the server.", examples=["/outgoing/leads"])
    max_file_bytes: int = Field(default=200_000_000, ge=1, description="Larger files are set aside unread.")
    move_to: str | None = Field(
        default=None,
        description="Folder on the server to which files are moved once they are read; not moved without it.",
        examples=["done"],
    )

    @field_validator("host_key", mode="before")
    @classmethod
    def _as_list(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value

    @field_validator("host_key")
    @classmethod
    def _are_keys(cls, value: list[str]) -> list[str]:
        found = []
        for one in value:
            match = _HOST_KEY.search(one)
            try:
                blob = base64.b64decode(match[2], validate=True) if match else b""
            except binascii.Error:
                blob = b""
            # The blob begins with the length and the name of its own kind (RFC 4253, 6.6).
            if match is None or blob[4 : 4 + len(match[1])] != match[1].encode():
                raise ValueError("a key is written as ssh-keyscan prints it, such as ssh-ed25519 AAAA...")
            found.append(f"{match[1]} {match[2]}")
        if not found:
            raise ValueError("it names the key of the server; ssh-keyscan prints it")
        return found

    @model_validator(mode="after")
    def _can_log_in(self) -> SftpOptions:
        if self.key is None and self.password is None:
            raise ValueError("it needs key or password")
        return self


class CsvDropOptions(Options):
    """Options of `type: csv_drop`."""

    folder: Path = Field(
        description="Folder to read, relative to syncd.yaml; with sftp a folder of this source alone, for copies.",
        examples=["drop/"],
    )
    pattern: list[str] = Field(
        default=["*.csv", "*.tsv", "*.txt", "*.xlsx", "*.xls"], description="Names to read; any case.", examples=[["*.csv"]]
    )
    key: list[str] = Field(
        default=[],
        description="Columns that identify a row, so that a newer file changes it. Without it a row is identified by its content.",
        examples=[["E-mail"]],
    )
    delimiter: str | None = Field(default=None, min_length=1, max_length=1, description="Detected if not given.", examples=[";"])
    encoding: str | None = Field(
        default=None, description="Detected if not given: UTF-8, UTF-16 with BOM, else encoding_fallback."
    )
    encoding_fallback: str = Field(default="cp1252", description="Read like this what is not UTF-8; reported each time.")
    header: list[str] = Field(default=[], description="Column names of files without a header row.", examples=[["email", "name"]])
    sheet: str | None = Field(
        default=None, description="Sheet of a workbook to read; the first one if not given.", examples=["Leads"]
    )
    sftp: SftpOptions | None = Field(default=None, description="Read files of a server by SFTP.")
