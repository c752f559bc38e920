"""policy.yaml to a Policy, with every problem at once. Pure: text in, value or ConfigError out."""

from __future__ import annotations

import hashlib

import msgspec

from syncd.document import Node, Problems, parse_document, suggest
from syncd.expressions import Expression
from syncd.model import OrgSchema
from syncd.policy.model import ActionKind, Enforcement, PolicyFields, Program, Rule, Standards

_ON_DELETED = ("skip", "review", "create")


class Policy(msgspec.Struct, frozen=True):
    """The standards of this version; `digest` names them in decisions."""

    status_on_create: str = ""
    on_deleted: str = "skip"
    allow_clear: bool = False
    digest: str = ""
    name: str = ""
    time_zone: str = "UTC"
    currency: str = ""
    enforcement: Enforcement = Enforcement.ENFORCE
    min_days_in_status: int = 7
    fields: PolicyFields = PolicyFields()
    limits: dict[ActionKind, Expression] = {}
    programs: tuple[Program, ...] = ()
    standards: Standards = Standards()
    rules: tuple[Rule, ...] = ()


def load_policy(text: str, file: str, org: OrgSchema | None = None) -> Policy:
    """Read a policy; with `org`, also check the status against LeadStatus.

    Raises:
        ConfigError: All problems with file, line, column and a close match.
    """
    root = parse_document(text, file)
    problems = Problems()
    problems.unknown_keys(root, ("version", "on_create", "on_deleted", "consent"), "A policy")
    version = root.get("version")
    if version is None or version.scalar != 1:
        problems.add(version or root, "A policy begins with version: 1.")
    status = _status(root, problems, org)
    on_deleted = _word(root, "on_deleted", _ON_DELETED, "skip", problems)
    allow_clear = _flag(root, problems)
    problems.raise_if_any()
    digest = hashlib.blake2b(repr((status, on_deleted, allow_clear)).encode(), digest_size=8).hexdigest()
    return Policy(status, on_deleted, allow_clear, digest)


def _status(root: Node, problems: Problems, org: OrgSchema | None) -> str:
    part = root.get("on_create")
    if part is None:
        return ""
    if part.kind != "mapping":
        problems.add(part, "on_create is a mapping, for example {status: New}.")
        return ""
    problems.unknown_keys(part, ("status",), "on_create")
    node = part.get("status")
    if node is None or node.scalar is None:
        return ""
    if not isinstance(node.scalar, str) or not node.scalar.strip():
        problems.add(node, "status is the API name of a lead status, as text.")
        return ""
    if org is not None and node.scalar not in org.lead_statuses:
        problems.add(node, f'Salesforce has no lead status "{node.scalar}".', suggest(node.scalar, org.lead_statuses))
    elif org is not None and org.lead_statuses[node.scalar]:
        problems.add(node, f'"{node.scalar}" is a converted status; only a conversion may set it.')
    return node.scalar


def _word(root: Node, key: str, legal: tuple[str, ...], default: str, problems: Problems) -> str:
    node = root.get(key)
    if node is None:
        return default
    if node.scalar not in legal:
        problems.add(node, f"{key} is one of {', '.join(legal)}.", suggest(str(node.scalar), legal))
        return default
    return str(node.scalar)


def _flag(root: Node, problems: Problems) -> bool:
    part = root.get("consent")
    if part is None:
        return False
    if part.kind != "mapping":
        problems.add(part, "consent is a mapping, for example {allow_clear: false}.")
        return False
    problems.unknown_keys(part, ("allow_clear",), "consent")
    node = part.get("allow_clear")
    if node is None:
        return False
    if not isinstance(node.scalar, bool):
        problems.add(node, "allow_clear is true or false.")
        return False
    return node.scalar
