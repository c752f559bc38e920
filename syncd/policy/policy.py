"""The policy as a whole: what policy.yaml says once it was read and checked. A plain value; `load` makes it."""

from __future__ import annotations

from typing import Any

import msgspec

from syncd.expressions import Expression
from syncd.policy.model import ActionKind, Enforcement, Facts, PolicyFields, Program, Rule, Standards


class PolicyTest(msgspec.Struct, frozen=True):
    """One test of the file: what is known of somebody, and what must come of it (`expect:` as it is written)."""

    name: str
    line: int
    facts: Facts
    expect: dict[str, Any] = {}


class Policy(msgspec.Struct, frozen=True):
    """The company's lead standards; `digest` names them in decisions. Without programs only the first three say anything.

    Attributes:
        status_on_create: API name of the status of a new lead; "" for the org's default. The entry status of a program goes before it.
        on_deleted: skip, review or create.
        allow_clear: Whether an explicit, newer opt-in clears an opt-out.
        digest: Changes with everything that may change a decision; not with comments, meanings, tests and the name.
        name: What the company calls it.
        time_zone: IANA name; where a day begins.
        currency: ISO 4217 code of every amount in conditions; "" for the org's only one.
        enforcement: Of every rule that says nothing else; `Rule.enforcement` has it already.
        min_days_in_status: After a change by syncd the reverse change waits so long.
        limits: Further limits of an action: it is done only where the condition holds.
        programs: In file order; the first that applies counts.
        rules: Of all sections, in the order of `Section` and within it in file order.
    """

    status_on_create: str = ""
    on_deleted: str = "skip"
    allow_clear: bool = False
    digest: str = ""
    name: str = ""
    file: str = ""
    time_zone: str = "UTC"
    currency: str = ""
    enforcement: Enforcement = Enforcement.ENFORCE
    min_days_in_status: int = 7
    fields: PolicyFields = PolicyFields()
    limits: dict[ActionKind, Expression] = {}
    programs: tuple[Program, ...] = ()
    standards: Standards = Standards()
    rules: tuple[Rule, ...] = ()
    tests: tuple[PolicyTest, ...] = ()

    def rule(self, rule_id: str) -> Rule | None:
        """The rule of that id, None if there is none."""
        return next((one for one in self.rules if one.rule_id == rule_id), None)
