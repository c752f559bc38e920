"""`python -m syncd.sandbox` and `syncd sandbox`: the org and the Mailchimp on their own."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from syncd.errors import ConfigError
from syncd.sandbox import (
    CONSUMER_KEY,
    CONSUMER_SECRET,
    MAILCHIMP_KEY,
    MailchimpServer,
    SandboxMailchimp,
    SandboxOrg,
    SandboxServer,
    Vendor,
    VendorServer,
    populate,
    populate_mailchimp,
)
from syncd.sandbox.vendors import all_vendors
from syncd.sandbox.visitors import visitors

S = TypeVar("S")


def run_sandbox(
    folder: Path,
    *,
    port: int = 0,
    mailchimp_port: int = 0,
    empty: bool = False,
    bare: bool = False,
    seed: int = 0,
    port_file: Path | None = None,
    ready_file: Path | None = None,
    state: Path | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; prints what to put into syncd.yaml.

    With `state` the org of that file is served, and kept there when the sandbox stops; Mailchimp is never kept.

    Args:
        folder: For the file of the certificate authority.
        port: Of the org; 0 takes any free one.
        mailchimp_port: Of Mailchimp; the same.
        bare: Serve no other vendors.
        empty: An org without leads and an audience without members.
        seed: Of all that is made up.
        port_file: Gets the org's port when everything is served.
        ready_file: Gets JSON at that moment: `org` and `mailchimp` (URLs), `ca_file`, `pid`.
        state: The org's file.

    Raises:
        ConfigError: A port is taken, or `state` cannot be read.
    """
    org, mailchimp = _org(state, seed=seed, empty=empty), SandboxMailchimp(seed=seed)
    populate_mailchimp(mailchimp, empty=empty)
    stop = threading.Event()
    with contextlib.ExitStack() as stack:
        salesforce = _bound(lambda: SandboxServer(org, folder=folder, port=port), port, "--port")
        stack.callback(salesforce.stop)
        newsletter = _bound(lambda: MailchimpServer(mailchimp, port=mailchimp_port), mailchimp_port, "--mailchimp-port")
        stack.callback(newsletter.stop)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        vendors = (
            {} if bare else {name: VendorServer(_vendor(made, seed=seed, empty=empty)) for name, made in all_vendors().items()}
        )
        for one in vendors.values():
            stack.callback(one.stop)
            one.start()
        salesforce.start()
        newsletter.start()
        if port_file is not None:
            port_file.write_text(str(salesforce.port), encoding="ascii")
        if ready_file is not None:
            urls: dict[str, Any] = {"org": salesforce.url, "mailchimp": newsletter.url, "ca_file": str(salesforce.ca_file)}
            urls["vendors"] = {name: one.url for name, one in vendors.items()}
            _put(ready_file, json.dumps({**urls, "pid": os.getpid()}))
        sys.stdout.write("\n".join(_advice(salesforce, newsletter, vendors, state)) + "\n")
        sys.stdout.flush()
        stop.wait()
    if state is not None:
        org.save_to(state)


def _org(state: Path | None, *, seed: int, empty: bool) -> SandboxOrg:
    if state is not None and state.exists():
        return SandboxOrg.load(state, seed=seed)
    org = SandboxOrg(seed=seed)
    if not empty:
        populate(org)
    return org


def _vendor(made: type[Vendor], *, seed: int, empty: bool) -> Vendor:
    vendor = made(seed=seed)
    vendor.populate([] if empty else visitors(vendor.now()))
    return vendor


def _bound(make: Callable[[], S], port: int, option: str) -> S:
    try:
        return make()
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else "There is no such port"
        raise ConfigError(f"Port {port} cannot be used: {reason}.", advice=f"Name another with {option}.") from error


def _put(path: Path, text: str) -> None:
    """Write a file that is never seen half."""
    beside = path.with_name(path.name + ".new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def _advice(
    salesforce: SandboxServer, newsletter: MailchimpServer, vendors: Mapping[str, VendorServer], state: Path | None
) -> tuple[str, ...]:
    """What runs where, what to put into syncd.yaml, and what is kept."""
    source = f"{{type: mailchimp, base_url: {newsletter.url}/3.0, api_key: {MAILCHIMP_KEY}, mapping: mailchimp}}"
    kept = f"The org is kept in {state}; all else is" if state else "Everything is"
    others = [f"    {name}: {json.dumps(one.vendor.source(one.url), ensure_ascii=False)}" for name, one in vendors.items()]
    names = ", ".join(one.vendor.name for one in vendors.values())
    also = [f"Also there, each with a page to look at: {names}."] if vendors else []
    return (
        f"A sandbox org is at {salesforce.url} (open it in a browser to edit leads as a rep),",
        f"a sandbox Mailchimp at {newsletter.url} (open it in a browser to see its members).",
        *also,
        "For syncd.yaml:",
        "  allow_literal_secrets: true",
        "  salesforce:",
        f"    login_url: {salesforce.url}",
        f"    auth: {{type: client_credentials, consumer_key: {CONSUMER_KEY}, consumer_secret: {CONSUMER_SECRET}}}",
        f"    ca_file: {salesforce.ca_file}",
        "  sources:",
        f"    newsletter: {source}",
        *others,
        f"{kept} in memory and gone when it stops. Stop it with Ctrl-C.",
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m syncd.sandbox", description="A Salesforce org and a Mailchimp on this machine."
    )
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--mailchimp-port", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("sandbox"))
    parser.add_argument("--empty", action="store_true")
    parser.add_argument("--bare", action="store_true", help="Only the org and Mailchimp.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--port-file", type=Path)
    parser.add_argument("--ready-file", type=Path)
    parser.add_argument("--state", type=Path, help="Where the org is kept; Mailchimp is not.")
    options = parser.parse_args()
    try:
        run_sandbox(**vars(options))
    except ConfigError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
