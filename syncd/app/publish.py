"""`syncd policy publish`: the standards as a page, and the fact that this version is the one that people know."""

from __future__ import annotations

from datetime import date
from pathlib import PurePath

from syncd.errors import ConfigError
from syncd.policy import Policy
from syncd.policy.published import published
from syncd.policy.published_html import html_page
from syncd.policy.published_markdown import markdown_page
from syncd.ports import Store
from syncd.run.standards import MARKING, PUBLISHED

_PAGES = {".html": html_page, ".htm": html_page, ".md": markdown_page, ".markdown": markdown_page}


def render(policy: Policy, day: date, name: str) -> str:
    """The page as the name of its file asks for it; Markdown without a name.

    Raises:
        ConfigError: The policy has no programs, or nobody knows such a page.
    """
    ending = PurePath(name).suffix.lower() if name else ".md"
    if ending not in _PAGES:
        raise ConfigError(f'--to "{name}" says nothing about the kind of page.', advice="Name a file that ends in .html or .md.")
    return _PAGES[ending](published(policy, day))


def note_published(store: Store, policy: Policy, digest: str) -> None:
    """Remember that the version `digest` was published. Writes the store, which must be this process's own.

    Raises:
        ConfigError: Another version is at work here: what leads say would not be what people read.
    """
    if policy.digest != digest:
        raise ConfigError(
            f"The version {policy.digest[:8]} of the policy is at work, and {digest[:8]} was to be published.",
            advice="Have the daemon load the new one first (systemctl reload syncd), then publish again.",
        )
    if store.setting(PUBLISHED) != digest:
        store.put_setting(PUBLISHED, digest)
        # Everybody is looked at: what comes next stands at their leads from the next pass on.
        store.put_setting(MARKING, f"{digest} ")


__all__ = ["note_published", "render"]
