"""The options of `type: csv_drop`. Belongs to csv_drop."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from syncd.connector import Options
from syncd.sftp import SftpServer


class SftpOptions(SftpServer, Options):
    """`sftp:`: files that lie on another machine."""

    folder: str = Field(default=".", description="Folder on the server.", examples=["/outgoing/leads"])
    max_file_bytes: int = Field(default=200_000_000, ge=1, description="Larger files are set aside unread.")
    move_to: str | None = Field(
        default=None,
        description="Folder on the server to which files are moved once they are read; not moved without it.",
        examples=["done"],
    )


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
