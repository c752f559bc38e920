"""What a server or an adapter needs from a model to put it behind HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from syncd.clock import Clock
from syncd.sandbox import control
from syncd.sandbox.mailchimp.account import SandboxMailchimp
from syncd.sandbox.mailchimp.app import MailchimpApp
from syncd.sandbox.message import Request, Response, fault
from syncd.sandbox.org import SandboxOrg
from syncd.sandbox.rest import handle
from syncd.sandbox.vendor import Vendor


class App(Protocol):
    """A model as a function from request to response."""

    @property
    def clock(self) -> Clock:
        """What delays pass on, and what `Date` tells."""
        ...

    def serving(self, request: Request) -> AbstractContextManager[Response]:
        """The answer; the request is over when the context is left."""
        ...

    def settle(self) -> None:
        """Carry out what was left for later and is due."""
        ...

    def failed(self, error: Exception) -> Response:
        """The answer when the sandbox itself has a defect."""
        ...

    def refused(self) -> Response:
        """The answer to a body that is too large or of unknown length."""
        ...


class OrgApp:
    """Serves one org; an `App`."""

    def __init__(self, org: SandboxOrg) -> None:
        """Serve `org`."""
        self._org = org

    @property
    def clock(self) -> Clock:
        """The org's."""
        return self._org.clock

    @contextmanager
    def serving(self, request: Request) -> Iterator[Response]:
        """Answer."""
        yield (control.handle if control.is_mine(request) else handle)(self._org, request)

    def settle(self) -> None:
        """Carry out what was left for later and is due."""
        self._org.later.settle(self.clock.now())

    def failed(self, error: Exception) -> Response:
        """The answer when the sandbox itself has a defect."""
        return fault(500, "UNKNOWN_EXCEPTION", f"The sandbox itself failed: {type(error).__name__}")

    def refused(self) -> Response:
        """The answer to a body that is too large or of unknown length."""
        return fault(413, "REQUEST_TOO_LARGE", "A body needs a Content-Length of at most 60 MB")


def app_of(model: SandboxOrg | SandboxMailchimp | Vendor) -> App:
    """The app that serves a model."""
    if isinstance(model, Vendor):
        return model.app()
    return MailchimpApp(model) if isinstance(model, SandboxMailchimp) else OrgApp(model)
