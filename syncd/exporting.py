"""The export to Xactly, as the house is asked for it. Part of the house that wiring builds."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any

from syncd.app.xactly import XactlyReport, export, export_again
from syncd.app.xactly_reading import check_org
from syncd.clock import Clock
from syncd.config import Settings
from syncd.config.settings import XactlySettings
from syncd.delivery import FolderDrop, SftpDrop, alone
from syncd.errors import ConfigError, DeliveryError
from syncd.ports import Drop, Org, Store, XactlyBatch
from syncd.run.mirror import right_org
from syncd.salesforce import SalesforceOrg
from syncd.xactly import Template, load_template


class Exports:
    """The exporting half of a house; `syncd.wiring.House` gives it its parts."""

    settings: Settings
    clock: Clock
    _wrap: Callable[[Any, str], Any]

    @cached_property
    def store(self) -> Store:
        """Given by the house."""
        raise NotImplementedError

    @cached_property
    def salesforce(self) -> SalesforceOrg:
        """Given by the house."""
        raise NotImplementedError

    @cached_property
    def org(self) -> Org:
        """Given by the house."""
        raise NotImplementedError

    def keep_budget(self) -> None:
        """Given by the house."""
        raise NotImplementedError

    def xactly_template(self) -> Template:
        """The customer's template, checked.

        Raises:
            ConfigError: There is none, it cannot be read, or everything that is wrong with it.
        """
        name = self._xactly.template
        try:
            text = (self.settings.folder / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"The template {name} cannot be read.", advice="Correct xactly.template, its rights, and that it is UTF-8."
            ) from error
        return load_template(text, name)

    def check_xactly(self) -> None:
        """Ask the org for what the template names, and the place for files whether it can be seen. One call.

        Raises:
            ConfigError: Everything that the org lacks, or why the place cannot be seen.
        """
        check_org(self.salesforce.deals(), self.xactly_template())
        try:
            self._drop().holds("syncd")
        except DeliveryError as error:
            raise ConfigError(error.message, advice=error.advice) from error

    def report_xactly(self, period: str, *, force: bool, dry_run: bool) -> XactlyReport:
        """Export what is new; see `syncd.app.xactly.export`.

        Raises:
            ConfigError: It is not configured, or everything that is wrong with the template or the period.
            GuardError: This is another org, or too much would be reversed.
        """
        template = self.xactly_template()
        with nullcontext() if dry_run else alone(self._drop_folder / ".syncd.lock"):
            right_org(self.org, self.store, self.settings.salesforce.expected_org_id)
            try:
                return export(
                    self.store,
                    self._wrap(self.salesforce.deals(), "deals"),
                    self._drop(),
                    template,
                    period=period,
                    now=self.clock.now(),
                    max_reversed_share=self.settings.guard.max_changed_share,
                    force=force,
                    dry_run=dry_run,
                )
            finally:
                self.keep_budget()

    def xactly_again(self, name: str) -> tuple[XactlyBatch, str]:
        """Put the files of a batch once more, as they were; gives the batch and the place.

        Raises:
            ConfigError: It is not configured, or there is no such batch.
        """
        drop = self._drop()
        with alone(self._drop_folder / ".syncd.lock"):
            return export_again(self.store, drop, name), drop.place

    @property
    def _drop_folder(self) -> Path:
        return self.settings.folder / self._xactly.folder

    def _drop(self) -> Drop:
        server = self._xactly.sftp
        drop: Drop = FolderDrop(self._drop_folder) if server is None else SftpDrop(server, server.folder)
        return self._wrap(drop, "drop")  # type: ignore[no-any-return]

    @property
    def _xactly(self) -> XactlySettings:
        found = self.settings.xactly
        if found is None:
            raise ConfigError(
                "The export to Xactly is not configured.",
                advice="Write xactly: {template: mappings/exports/xactly.yaml, folder: xactly} into syncd.yaml.",
            )
        return found
