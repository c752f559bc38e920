"""The keys of policy.yaml, section by section, with what they mean: read by the readers, the reference page and the JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Key:
    """One key.

    Attributes:
        name: As it is written.
        meaning: For people; Markdown.
        shape: What its value is; a name of `schema.SHAPES`.
        default: For people; "" where leaving it out simply means nothing.
        example: YAML, as it stands behind the key.
        is_required: Whether it must be there.
    """

    name: str
    meaning: str
    shape: str
    default: str = ""
    example: str = ""
    is_required: bool = False


def _keys(*rows: tuple[str, ...]) -> tuple[Key, ...]:
    """Rows of (name, shape, meaning, default, example); the default `required` says that the key must be there."""
    found = []
    for name, shape, meaning, *rest in rows:
        default, example = (*rest, "", "")[:2]
        found.append(Key(name, meaning, shape, default, example, default == "required"))
    return tuple(found)


TOP = _keys(
    ("version", "version", "always `1`", "required", "1"),
    ("name", "text", "what you call it; shown beside the digest in decisions", "", "b2b_nurture"),
    ("time_zone", "text", "where a day begins, as an IANA name", "`UTC`", "Europe/Berlin"),
    ("currency", "currency", "of every amount of money in conditions; needed where the org has several currencies", "", "EUR"),
    ("enforcement", "enforcement", "for every rule that says nothing else: `enforce`, or `observe` (only say what it would have done)", "`enforce`", "observe"),
    ("min_days_in_status", "days", "after a change by syncd the reverse change waits so many days", "`7`", "7"),
    ("on_create", "mapping", "`status`: of a new lead where no program applies; a program's entry status goes before it", "the org's default", "{status: New}"),
    ("on_deleted", "on_deleted", "`skip`, `review` or `create`: a source sends somebody again whose lead a person deleted", "`skip`", "review"),
    ("fields", "mapping", "fields of Lead that syncd keeps for reps, and one that reps fill for syncd; see below", "none", "{reason: Syncd_Reason__c}"),
    ("consent", "mapping", "what is never done without leave; see below", "", "{allow_clear: false}"),
    ("programs", "mapping", "name to program, in order: the first that applies to a person counts", "none: no rule is asked", ""),
    ("standards", "mapping", "`criteria`, `scoring` and `qualified`: when somebody is qualified", "", ""),
    ("rules", "list", "changes of status", "", ""),
    ("revive", "list", "what brings somebody back", "", ""),
    ("recycle", "list", "what happens to unqualified leads, so that none hangs", "", ""),
    ("archive", "list", "who is put away, and how", "", ""),
    ("convert", "list", "who becomes account and contact", "", ""),
    ("opportunity", "list", "what becomes an opportunity", "", ""),
    ("nurture", "list", "what is sent to whom while they wait", "", ""),
    ("sla", "list", "what must happen within a time", "", ""),
    ("tests", "list", "what must come of whom; run by every check", "", ""),
)  # fmt: skip

FIELDS = _keys(
    ("next_action", "field", "what the rep does next: `next_action` of the status", "", "Syncd_Next_Action__c"),
    ("reason", "field", "why the status is what it is: `reason` of the rule", "", "Syncd_Reason__c"),
    ("policy", "field", "name and version of the policy that decided last", "", "Syncd_Policy__c"),
    ("score", "field", "the score", "", "Syncd_Score__c"),
    ("hold_until", "field", "a day, set by a rep: until then no rule touches the record; of a contact, where Contact has the field, too", "", "Syncd_Hold_Until__c"),
)  # fmt: skip

CONSENT = _keys(
    ("allow_clear", "flag", "may an explicit, newer opt-in clear an opt-out that syncd set?", "`false`", "true"),
    ("actions", "mapping", "action to a condition without which it is not done; besides, `enrol`, `tag`, `trigger`, `register` and `conversion` never reach who has opted out", "", "{task: 'not lead.DoNotCall'}"),
)  # fmt: skip

PROGRAM = _keys(
    ("applies_to", "condition", "whom it is for", "everybody", "'\"site\" in person.sources'"),
    ("record_type", "text", "DeveloperName of a record type of Lead; its lead process must have the statuses", "", "Inbound"),
    ("statuses", "mapping", "API name of a lead status to what it means", "required", ""),
    ("transitions", "list", "the moves that are allowed", "none", ""),
    ("illegal", "illegal", "a status or a rep's move that the program does not know: `report`, `revert` (to the status before, if that is allowed) or `{map: {OLD: NEW}}`", "`report`", "revert"),
)  # fmt: skip

STATUS = _keys(
    ("meaning", "text", "what it says about the lead, in your words", "", "Nobody has spoken to them."),
    ("next_action", "text", "what the rep does next", "", "Call within four hours."),
    ("entry", "flag", "the status of a new lead; one at most", "`false`", "true"),
    ("unqualified", "flag", "nobody may hang here: each lead needs a path out (`recycle`, `archive`)", "`false`", "true"),
    ("terminal", "flag", "the end: only `revive` leads out of it", "`false`", "true"),
)  # fmt: skip

TRANSITION = _keys(
    ("from", "names", "a status, a list of them, or `any`: every status of the program but the target", "required", "[Nurture, Unqualified]"),
    ("to", "names", "a status or a list of them", "required", "Archived"),
    ("by", "mover", "who may: `syncd`, `rep` or `both`", "`both`", "rep"),
)  # fmt: skip

STANDARDS = _keys(
    ("criteria", "mapping", "name to criterion, in order: need, authority, budget, timing, fit, and any other", "", ""),
    ("scoring", "list", "what gives points", "", ""),
    ("qualified", "condition", "when somebody is qualified, over the criteria", "nobody is", "criteria.need and criteria.budget"),
)  # fmt: skip

CRITERION = _keys(
    ("meaning", "text", "in your words", "", "They have a problem that we solve."),
    ("met", "condition", "when it is met; goes before `unmet`", "", "'any_touch(\"demo\", 180)'"),
    ("unmet", "condition", "when it is certainly not met; neither means unknown", "", "'lead.NumberOfEmployees < 10'"),
)  # fmt: skip

SCORING = _keys(
    ("id", "id", "names it in the breakdown", "required", "leader"),
    ("points", "points", "what it gives; may be negative", "required", "20"),
    ("when", "condition", "points for a condition; either this or `touch`", "", "'matches(lead.Title, \"(?i)chief\")'"),
    ("touch", "text", "points for each touch on that channel", "", "webinar"),
    ("halves_after_days", "days", "a touch's points halve after so many days, again and again", "they stay", "30"),
    ("at_most", "points", "the most that all touches give together", "no limit", "45"),
)  # fmt: skip

RULE = _keys(
    ("id", "id", "unique in the file; small letters, digits and `_`", "required", "is_qualified"),
    ("program", "text", "the only program it is for", "all", "inbound"),
    ("target", "target", "whom it is about: `lead`, or `contact` where the section says so", "`lead`", "contact"),
    ("from", "names", "statuses in which it is asked: one, or a list", "all", "[Nurture, Unqualified]"),
    ("when", "condition", "the condition", "always", "'score >= 40'"),
    ("reason", "text", "words for the rep", "", "They came back."),
    ("enforcement", "enforcement", "`enforce` or `observe`", "the policy's", "observe"),
    ("do", "actions", "actions; see below", "none", "[{task: {subject: Call back}}]"),
)  # fmt: skip

_TO = ("to", "text", "the new status", "required", "Qualified")
_OVERRIDES = (
    "overrides_rep",
    "flag",
    "may it move a status that a person has set, on evidence newer than that",
    "`false`",
    "true",
)
_CONVERT_OWNER = (
    "who gets what is made: `account` (its owner), `lead` (its owner), `user:NAME` or `queue:NAME` (its members in turn)"
)

SECTIONS: Mapping[str, tuple[Key, ...]] = {
    "rules": _keys(_TO, _OVERRIDES),
    "revive": _keys(
        _TO, _OVERRIDES,
        ("on", "names", "channels: a new touch after the status was entered revives; never opens, bounces or changes of a profile", "", "[form, reply]"),
        ("on_criteria", "names", "criteria that are met now, by something newer than the status", "", "[budget]"),
        ("owner", "text", "who gets it: `previous` (if still active), `account`, `user:NAME` or `queue:NAME`", "stays", "previous"),
    ),
    "recycle": _keys(
        ("to", "text", "the new status after `after_days`; both or neither", "stays", "Nurture"), _OVERRIDES,
        ("after_days", "days", "days in the status before it moves on to `to`", "", "90"),
    ),
    "archive": _keys(
        _OVERRIDES,
        ("inactive_days", "days", "no touch, task, event, new owner, new status or person's edit for so long", "`0`", "90"),
        ("hold_days", "days", "the condition must have held for so long", "`0`", "14"),
        ("unedited_days", "days", "never if a person edited the record within so many days", "`0`", "30"),
        ("means", "mapping", "what archiving is; see below", "required", "{status: Archived}"),
        ("delete", "mapping", "whether a lead that this rule archived is deleted after retention; see below", "never", "{after_days: 730}"),
    ),
    "convert": _keys(
        ("status", "text", "the converted status", "required", "Closed - Converted"),
        ("owner", "text", _CONVERT_OWNER, "`account`", "account"),
        ("match", "names", "how an existing account is found, in this order: `domain`, `alias`, `name`", "`[domain, alias, name]`", "[domain]"),
        ("aliases", "mapping", "company as people write it to the name of the account", "", "{acme deutschland: Acme GmbH}"),
        ("shared_domains", "names", "domains that say nothing of a company: of an agency, a university; free-mail never does", "", "[agency.example]"),
        ("opportunity", "id", "id of an opportunity rule: made with the conversion when its own condition holds", "none", "strong_intent"),
    ),
    "opportunity": _keys(
        ("name", "expression", "its name, an expression; cut to 120 characters", "required", "'lead.Company + \" - inbound\"'"),
        ("stage", "text", "stage of a new one", "required", "Prospecting"),
        ("close_in_days", "days", "days until the close date", "required", "60"),
        ("amount", "expression", "its amount, an expression", "none", "'lead.AnnualRevenue / 100'"),
        ("record_type", "text", "DeveloperName of a record type of Opportunity", "the user's default", "New_Business"),
        ("currency", "currency", "of the amount", "the policy's", "EUR"),
        ("fields", "mapping", "further fields of the opportunity to expressions", "", "{LeadSource: lead.LeadSource}"),
        ("one_open_per", "one_open_per", "none is made while an open one of the same `account` or `contact` exists", "`account`", "contact"),
    ),
    "nurture": _keys(
        ("again_after_days", "days", "when it may be repeated", "once per stay in the status, or once ever without `from`", "180"),
    ),
    "sla": _keys(
        ("within_minutes", "minutes", "the time allowed; exactly one of the three", "", "240"),
        ("within_hours", "minutes", "the same in hours", "", "4"),
        ("within_days", "days", "the same in days", "", "2"),
        ("clock", "clock", "since when: `status` (it was entered) or `arrival` (of the newest news)", "`status`", "arrival"),
    ),
}  # fmt: skip
"""What each section knows besides the keys of every rule."""

MEANS = _keys(
    ("status", "text", "a status of the program", "", "Archived"),
    ("flag", "field", "a checkbox of Lead", "", "Syncd_Archived__c"),
    ("owner", "text", "`queue:NAME` or `user:NAME`", "stays", "queue:Archive"),
    ("previous_owner_field", "field", "a field of Lead that keeps the previous owner", "", "Syncd_Previous_Owner__c"),
)  # fmt: skip

DELETE = _keys(
    ("after_days", "days", "days since it was archived, and since the last touch, task, event, edit or change of anybody; 30 at least", "required", "730"),
    ("when", "condition", "asked at deletion instead of the rule's own `when`, which must still hold otherwise", "the rule's", "'not lead.Keep__c'"),
    ("id", "id", "names it in decisions and tests", "the rule's with `_delete`", "outside_icp_delete"),
    ("enforcement", "enforcement", "`enforce` or `observe`", "the rule's", "observe"),
)  # fmt: skip

ACTIONS: Mapping[str, tuple[Key, ...]] = {
    "task": _keys(
        ("subject", "text", "what to do; at most 255 characters", "required", "Call back today"),
        ("due_in_days", "days", "days until it is due", "no due day", "0"),
        ("priority", "text", "a value of Task.Priority", "`Normal`", "High"),
        ("description", "text", "more words", "", "They asked for a demo."),
        ("fields", "mapping", "further fields of the task to expressions", "", "{Description: lead.Description}"),
    ),
    "owner": _keys(("to", "text", "`previous`, `account`, `user:NAME` or `queue:NAME`; of a contact never a queue", "required", "queue:Hot Leads")),
    "flag": _keys(
        ("field", "field", "a field of Lead, or of Contact in a rule about contacts", "required", "Is_Hot__c"),
        ("value", "scalar", "what is written into it", "`true`", "true"),
    ),
}  # fmt: skip
"""Actions in the org."""

SOURCE_ACTION = _keys(
    ("source", "text", "name of a source in syncd.yaml that can do it", "required", "newsletter"),
    ("fields", "mapping", "what goes along: name to expression", "", "{FNAME: lead.FirstName}"),
)  # fmt: skip
"""What `enrol`, `tag`, `trigger`, `opt_out`, `send` and `register` share; everything else is for the source's connector to know."""

CONVERSION = _keys(
    ("source", "text", "name of a source of type `google_ads`, `meta` or `linkedin` in syncd.yaml", "required", "ads"),
    ("event", "event", "what is told: `qualified`, `converted`, `won` or `lost`; each once for a person and source, `won` and `lost` once for each opportunity", "required", "won"),
    ("consent", "text", "words that the evidence of consent must hold, as a mapping keeps it with the touch: the key of a box, the id of a form", "required, but with `needs_consent: false`", "marketing_opt_in"),
    ("needs_consent", "flag", "is it told only with that consent? `false` only where the connector's page says so", "`true`", "false"),
    ("currency", "currency", "of the value; an opportunity's own goes before it where the org has several", "the policy's", "EUR"),
    ("fields", "mapping", "`value`: an expression for the value", "the opportunity's amount for `won`, else none", "{value: lead.AnnualRevenue / 100}"),
)  # fmt: skip
"""What every `conversion` knows; everything else is for the source's connector to know."""

TEST = _keys(
    ("name", "text", "a sentence", "required", "a demo request is called"),
    ("given", "mapping", "what is known of the person; see below", "required", "{status: New}"),
    ("today", "day", "the day of the decision, at noon UTC", "`2026-01-31`", '"2026-05-01"'),
    ("expect", "mapping", "what must come of it; see below", "required", "{status: Qualified}"),
)  # fmt: skip

GIVEN = _keys(
    ("lead", "mapping", "fields of Lead as the sources state them", "none", "{Title: VP Sales}"),
    ("org", "mapping", "fields of the record in the org", "none", "{LeadSource: Web}"),
    ("account", "mapping", "fields of the account", "none", "{Industry: Technology}"),
    ("object", "object", "`Lead` or `Contact`: what the person is in the org", "`Lead`", "Contact"),
    ("status", "text", "status in the org; without `status`, `org` and `object: Contact` the person is not there yet", "not there", "Nurture"),
    ("days_in_status", "days", "since when", "`0`", "50"),
    ("set_by", "set_by", "who set it: `syncd` or `rep`", "`syncd`", "rep"),
    ("previous_status", "text", "the status before", "not known", "Qualified"),
    ("touches", "list", "of `{channel, days_ago, campaign, source, news}`; `news: false` for a back-fill", "none", "[{channel: demo, days_ago: 1}]"),
    ("sources", "names", "names of the sources the person came from", "none", "[site]"),
    ("opted_out", "flag", "whether the person has opted out", "`false`", "true"),
    ("news_days_ago", "days", "when a source last said something new", "the newest touch", "3"),
    ("created_days_ago", "days", "when the record was made", "when the oldest thing above happened", "200"),
    ("edited_days_ago", "days", "when a person last edited the record", "`set_by: rep`: when the status was set; else never", "10"),
    ("open_tasks", "count", "open tasks", "`0`", "1"),
    ("next_event_in_days", "days", "the next event", "none", "3"),
    ("last_activity_days_ago", "days", "the last task or event", "none", "20"),
    ("open_opportunities", "count", "of the contact or account", "`0`", "1"),
    ("owner_active", "flag", "whether the owner is an active user", "not known", "false"),
    ("fired", "mapping", "rule id to how many days ago it last did something", "none", "{drip: 30}"),
    ("archived_days_ago", "mapping", "id of the archive rule that moved the lead last to how many days ago", "none", "{outside_icp: 800}"),
    ("held_for_days", "mapping", "id of an archive rule to how many days its condition has held", "none", "{outside_icp: 14}"),
)  # fmt: skip

EXPECT = _keys(
    ("program", "text", "the program that applied, `\"\"` for none", "", "inbound"),
    ("status", "text", "the status afterwards; the present one, or `\"\"`, where nothing moves", "", "Qualified"),
    ("rule", "text", "id of the rule that moves or converts, `\"\"` for none", "", "is_qualified"),
    ("fired", "names", "ids of rules that did something", "", "[drip]"),
    ("observed", "names", "ids of rules that would have", "", "[cools_off]"),
    ("blocked", "mapping", "rule id to why it did not: a word of the list below", "", "{came_back: condition}"),
    ("score", "points", "the score", "", "35"),
    ("qualified", "ternary", "`true`, `false` or `null` (unknown)", "", "true"),
    ("criteria", "mapping", "criterion to `true`, `false` or `null`", "", "{need: true}"),
    ("actions", "list", "all actions, in any order: a kind (`task`), or a kind with some of its values (`{enrol: {audience: L1}}`)", "", "[task]"),
    ("owner", "text", "the new owner, `\"\"` where it stays", "", "previous"),
    ("converts", "text", "id of the convert rule, `\"\"` for none", "", "ready"),
    ("opens", "text", "id of the opportunity rule, `\"\"` for none", "", "strong_intent"),
    ("deletes", "text", "id of the `delete` of an archive rule that is due, `\"\"` for none", "", "outside_icp_delete"),
)  # fmt: skip

TOUCH = ("channel", "days_ago", "campaign", "source", "news")
"""What a touch of a test may say."""

BLOCKED: Mapping[str, str] = {
    "condition": "its condition does not hold",
    "status": "the person is in no status that it asks about; the lead was not archived by its rule, or is so no longer (`delete`)",
    "not_allowed": "the program has no such transition for syncd",
    "rep_edit": "a person has set the status, and nothing newer speaks for the move (or the rule lacks `overrides_rep`); has edited the lead since it was archived (`delete`)",
    "held": "a rep has put the record on hold",
    "too_soon": "the reverse change waits `min_days_in_status`",
    "waiting": "a hold period, `after_days` or a deadline is not over",
    "open_work": "there is an open task or a future event (`archive`, `delete`)",
    "active": "it was not silent for long enough (`archive`)",
    "done_before": "it has done so in this stay already",
    "consent": "the person has opted out, or `consent.actions` forbids it",
    "earlier_rule": "an earlier rule has moved the status in this pass",
    "no_target": "there is no record that it could act on",
}
"""Why a rule did nothing; the words of `Asked.blocked`."""


def names(keys: tuple[Key, ...]) -> tuple[str, ...]:
    """The words of a section."""
    return tuple(key.name for key in keys)
