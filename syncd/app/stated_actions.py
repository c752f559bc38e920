"""What the sources say to the actions that a policy states for them: wrong options, and sources that take no actions. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from syncd.connector import ActingConnector, Connector, SourceActionKind
from syncd.errors import ConfigProblem
from syncd.policy import Policy


def action_problems(policy: Policy, sources: Mapping[str, tuple[Connector, Any]]) -> Iterator[ConfigProblem]:
    """Every problem with its line; `sources` are those whose options are known, an action at another one is not judged."""
    able = sorted(name for name, (connector, _) in sources.items() if isinstance(connector, ActingConnector))
    for rule in policy.rules:
        for one in rule.actions:
            if one.source not in sources:
                continue
            connector, options = sources[one.source]
            line = one.line or rule.line
            if isinstance(connector, ActingConnector):
                for wrong in connector.check_action(options, SourceActionKind(str(one.kind)), one.options):
                    yield ConfigProblem(policy.file, line, 1, f'Rule "{rule.rule_id}": {wrong}', "")
            else:
                advice = (
                    f"Name one that does: {', '.join(able)}."
                    if able
                    else "Add a source that does to syncd.yaml, such as mailchimp, activecampaign or webhook_out."
                )
                message = f'Rule "{rule.rule_id}": the source "{one.source}" ({connector.name}) takes no actions.'
                yield ConfigProblem(policy.file, line, 1, message, advice)
