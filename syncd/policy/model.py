"""The company's lead standards as values: what policy.yaml says once it was read and checked, and what is known of one person.

Pure values, no behaviour beyond reading themselves. `load` makes a Policy, `evaluate` joins it with Facts to a Decision.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from syncd.expressions import Expression
from syncd.model import Deal, Value


class Mover(StrEnum):
    """Who may take a transition."""

    SYNCD = "syncd"
    REP = "rep"
    BOTH = "both"


class Section(StrEnum):
    """The kinds of rules, in the order in which they are asked; of those that move a status the first that may fires."""

    ILLEGAL = "illegal"
    REVIVE = "revive"
    STATUS = "rules"
    RECYCLE = "recycle"
    ARCHIVE = "archive"
    DELETE = "delete"  # written as `delete:` of an archive rule
    CONVERT = "convert"
    OPPORTUNITY = "opportunity"
    NURTURE = "nurture"
    SLA = "sla"


MOVING = (Section.ILLEGAL, Section.REVIVE, Section.STATUS, Section.RECYCLE, Section.ARCHIVE)
"""Sections whose rules may change a status."""


MIN_DELETE_DAYS = 30
"""A lead stays archived, and silent, for so long at least before it is deleted: somebody must have had the time to notice."""


class Enforcement(StrEnum):
    """Whether a rule acts or only says what it would have done."""

    OBSERVE = "observe"
    ENFORCE = "enforce"


class Target(StrEnum):
    """Whom a rule is about: the open Lead, the Contact (also of a converted lead), or the contact's Account."""

    LEAD = "lead"
    CONTACT = "contact"
    ACCOUNT = "account"


class ActionKind(StrEnum):
    """What a rule has done besides moving a status."""

    TASK = "task"
    OWNER = "owner"
    FLAG = "flag"
    ENROL = "enrol"
    TAG = "tag"
    TRIGGER = "trigger"
    OPT_OUT = "opt_out"
    SEND = "send"
    REGISTER = "register"
    CONVERSION = "conversion"


FOR_MAILING = (ActionKind.ENROL, ActionKind.TAG, ActionKind.TRIGGER, ActionKind.REGISTER)
"""Actions that lead to mail: never for somebody who has opted out, whatever a policy says."""
WITH_LEAVE = (*FOR_MAILING, ActionKind.CONVERSION)
"""What is not done with somebody who has opted out: mail, and telling a platform of them."""


class ConversionEvent(StrEnum):
    """What an advertising platform is told of a person."""

    QUALIFIED = "qualified"
    CONVERTED = "converted"
    WON = "won"
    LOST = "lost"


OF_DEALS = (ConversionEvent.WON, ConversionEvent.LOST)
"""Events of an opportunity: told once for each, not once for a rule."""


class Action(msgspec.Struct, frozen=True):
    """One action as a rule states it.

    Attributes:
        kind: What to do.
        line: Line of the policy file.
        source: The source that carries it out (enrol, tag, trigger, opt_out, send, register, conversion); "" for the org.
        options: The admin's words: `task`: subject, priority, description; `owner`: `to` (previous, account, user:NAME,
            queue:NAME); `flag`: `field`, `value`; for a source what its connector knows (`audience`, `tag`, `journey` ...); `conversion`: `event`, `consent`,
            `needs_consent` (`false` or absent), `currency`, and what its connector knows.
        fields: Field of the action to the expression that gives its value (merge fields, the body of `send`, text of a task).
        due_in_days: Of a task.
    """

    kind: ActionKind
    line: int = 0
    source: str = ""
    options: dict[str, str] = {}
    fields: dict[str, Expression] = {}
    due_in_days: int | None = None

    @property
    def is_of_deals(self) -> bool:
        """Whether it tells of opportunities."""
        return self.kind is ActionKind.CONVERSION and self.options.get("event") in OF_DEALS


class Status(msgspec.Struct, frozen=True, gc=False):
    """One status of a program; `name` is the API name in the org, `place` its position in the file (forward is higher).

    `is_unqualified` marks one in which nobody may hang: each lead there needs a path (recycle, archive).
    """

    name: str
    meaning: str = ""
    next_action: str = ""
    is_entry: bool = False
    is_terminal: bool = False
    is_unqualified: bool = False
    is_converted: bool = False
    place: int = 0
    line: int = 0


class Transition(msgspec.Struct, frozen=True, gc=False):
    """One allowed move."""

    from_status: str
    to_status: str
    by: Mover = Mover.BOTH
    line: int = 0


class Criterion(msgspec.Struct, frozen=True):
    """One named question (need, authority, budget, timing, fit ...). Met wins over unmet; neither means unknown."""

    name: str
    meaning: str = ""
    met: Expression | None = None
    unmet: Expression | None = None
    line: int = 0


class ScoreRule(msgspec.Struct, frozen=True):
    """Points for a condition, or for each touch on a channel.

    Attributes:
        points: May be negative.
        when: The condition; None for touches.
        channel: The channel whose touches count; "" for a condition.
        halves_after_days: A touch's points halve after so many days, again and again, in whole steps; None: they stay.
        at_most: The most that all touches of this rule give together (in the sign of `points`); None: no limit.
    """

    rule_id: str
    points: int
    when: Expression | None = None
    channel: str = ""
    halves_after_days: int | None = None
    at_most: int | None = None
    line: int = 0


class ArchiveMeans(msgspec.Struct, frozen=True, gc=False):
    """What archiving is in this company: any of a status, a checkbox, an owner; with the previous owner kept in a field."""

    status: str = ""
    flag: str = ""
    owner: str = ""
    previous_owner_field: str = ""


class Opening(msgspec.Struct, frozen=True):
    """How an opportunity is made. Amounts are in `currency`, "" for the org's own."""

    name: Expression
    stage: str
    close_in_days: int
    amount: Expression | None = None
    record_type: str = ""
    currency: str = ""
    fields: dict[str, Expression] = {}
    one_open_per: str = "account"  # account | contact: refused when a matching open one exists


class Converting(msgspec.Struct, frozen=True):
    """How a lead is converted.

    Attributes:
        status: API name of the converted status.
        owner: account, lead, `user:NAME` or `queue:NAME` (its members by rotation); never the integration user.
        match: How an existing account is found, in order: `domain`, `alias`, `name`.
        aliases: Company name as written (lower case) to account name.
        shared_domains: Domains of mailboxes that say nothing of a company: of agencies, universities, a group of companies.
        opportunity: Made with the conversion when its condition holds; None: never.
    """

    status: str
    owner: str = "account"
    match: tuple[str, ...] = ("domain", "alias", "name")
    aliases: dict[str, str] = {}
    opportunity: str = ""
    shared_domains: frozenset[str] = frozenset()


class Rule(msgspec.Struct, frozen=True):
    """One rule of any section; what a section does not know stays at its default.

    Attributes:
        rule_id: Unique in the file.
        program: Name of the only program it is for; "" for all.
        from_statuses: Statuses in which it is asked; empty for all.
        to_status: Where it moves to; "" if it moves nothing.
        when: The condition; None: always.
        reason: Words for the rep, written to the lead's reason field.
        overrides_rep: May it move a status that a person has set, on evidence newer than that edit.
        actions: Done when it fires: on entering the status (nurture, recycle), on reviving, on a breach (sla).
        again_after_days: When a nurture may be repeated; None: once per stay in the status.
        after_days: Days in the status before a recycle rule moves on to `to_status`.
        intent: Channels whose new touch revives; a criterion that became met is named in `intent_criteria`.
        owner: Who gets a revived lead: "" (as it is) or as in `Action.options["to"]`.
        inactive_days, hold_days, unedited_days: Of archive: silence of everybody; how long the condition must have held; days since a person's last edit.
        means: Of archive.
        within_minutes: Of sla, counted from `clock` (`status` or `arrival`).
        of_rule: Of delete: the archive rule whose leads it deletes, `after_days` after they were archived and fell silent.
    """

    rule_id: str
    section: Section
    program: str = ""
    target: Target = Target.LEAD
    from_statuses: tuple[str, ...] = ()
    to_status: str = ""
    when: Expression | None = None
    reason: str = ""
    enforcement: Enforcement = Enforcement.ENFORCE
    overrides_rep: bool = False
    actions: tuple[Action, ...] = ()
    again_after_days: int | None = None
    after_days: int | None = None
    intent: tuple[str, ...] = ()
    intent_criteria: tuple[str, ...] = ()
    owner: str = ""
    inactive_days: int = 0
    hold_days: int = 0
    unedited_days: int = 0
    means: ArchiveMeans | None = None
    converting: Converting | None = None
    opening: Opening | None = None
    within_minutes: int = 0
    clock: str = "status"
    of_rule: str = ""
    line: int = 0


class IllegalDo(StrEnum):
    """What happens to a status, or a move, that the program does not know."""

    REPORT = "report"
    REVERT = "revert"
    MAP = "map"


class Program(msgspec.Struct, frozen=True):
    """One way of handling leads. `applies_to` None: everybody who reaches it; programs are asked in file order."""

    name: str
    statuses: dict[str, Status]
    transitions: tuple[Transition, ...]
    applies_to: Expression | None = None
    record_type: str = ""
    illegal: IllegalDo = IllegalDo.REPORT
    illegal_map: dict[str, str] = {}
    line: int = 0

    @property
    def entry(self) -> Status | None:
        """The status of a new lead; None for the org's default."""
        return next((one for one in self.statuses.values() if one.is_entry), None)

    def may_move(self, before: str, after: str, by: Mover) -> bool:
        """Whether `by` (syncd or rep) may move from one status to another."""
        return any(
            one.from_status == before and one.to_status == after and one.by in (by, Mover.BOTH) for one in self.transitions
        )


class PolicyFields(msgspec.Struct, frozen=True, gc=False):
    """Lead fields that syncd writes for reps, and one that reps write for syncd; "" where the company has none."""

    next_action: str = ""
    reason: str = ""
    policy: str = ""
    score: str = ""
    hold_until: str = ""
    line: int = 0


class Standards(msgspec.Struct, frozen=True):
    """When somebody is qualified."""

    criteria: tuple[Criterion, ...] = ()
    scoring: tuple[ScoreRule, ...] = ()
    qualified: Expression | None = None


# ---------------------------------------------------------------- what is known of one person


class TouchFact(msgspec.Struct, frozen=True, gc=False):
    """One touch. `is_news`: not of a back-fill, a re-mapping or before `start_from`, and no echo of our own action."""

    channel: str
    at: datetime
    campaign: str = ""
    source: str = ""
    is_news: bool = True


class StatusChange(msgspec.Struct, frozen=True, gc=False):
    """A status as it was first seen in the org, oldest first; `by_person` when nobody of ours set it."""

    status: str
    at: datetime
    by_person: bool = False


class Standing(msgspec.Struct, frozen=True, gc=False):
    """The record in the org that rules are about.

    Attributes:
        object: `Lead` or `Contact`.
        fields: As mirrored; opportunities and tasks are counted in Facts.
        is_owner_active: None where it is not known.
        edited_at: When a person last changed the record; None if nobody did.
        statuses: Changes of a lead's status, oldest first; empty where none was seen.
    """

    object: str
    sf_id: str
    fields: dict[str, Value] = {}
    owner_id: str = ""
    is_owner_active: bool | None = None
    is_converted: bool = False
    created_at: datetime | None = None
    edited_at: datetime | None = None
    statuses: tuple[StatusChange, ...] = ()

    @property
    def status(self) -> str:
        """The lead's status, "" for a contact."""
        return str(self.fields.get("Status") or "")


class Facts(msgspec.Struct, frozen=True, gc=False):
    """Everything a decision about one person may depend on, as of `now`.

    Attributes:
        now: Aware UTC. `day` is the day in the policy's time zone, ISO.
        golden: What the sources say, by Lead field; the org's own value goes before it where the org has one.
        standing: The person's record in the org; None for somebody who is not there yet.
        first_at: When the person was first heard of.
        news_at: The newest source time of what the sources say of the person.
        sources: Names of the sources the person came from, sorted.
        account: Fields of the account; empty if there is none or it is not mirrored.
        open_tasks, next_event_at, last_activity_at: Activities in the org of the lead or contact.
        open_opportunities: Of the contact or account.
        deals: Opportunities whose primary contact the person is, deleted ones too, by id.
        fired: Rule id to when it last fired (enforced ones).
        waiting: Rule id to when the hold period of its condition ends.
        archived: The archive rule that moved the lead last, and when; empty if another rule did, or none.
        unknown: Names of variables whose value at `now` cannot be told (a simulation of the past).
    """

    person_id: str
    now: datetime
    day: str
    golden: dict[str, Value] = {}
    standing: Standing | None = None
    touches: tuple[TouchFact, ...] = ()
    first_at: datetime | None = None
    news_at: datetime | None = None
    sources: tuple[str, ...] = ()
    has_opted_out: bool = False
    account: dict[str, Value] = {}
    open_tasks: int = 0
    next_event_at: datetime | None = None
    last_activity_at: datetime | None = None
    open_opportunities: int = 0
    deals: tuple[Deal, ...] = ()
    fired: dict[str, datetime] = {}
    waiting: dict[str, datetime] = {}
    archived: dict[str, datetime] = {}
    unknown: frozenset[str] = frozenset()


# ---------------------------------------------------------------- what is decided


class Judged(msgspec.Struct, frozen=True, gc=False):
    """One criterion of one person: True, False or None (unknown), and the clauses that say why."""

    name: str
    value: bool | None
    evidence: tuple[str, ...] = ()


class Points(msgspec.Struct, frozen=True, gc=False):
    """What one scoring rule gave."""

    rule_id: str
    points: int


class Asked(msgspec.Struct, frozen=True, gc=False):
    """What came of one rule: `fired`, `observed` (would have) or `blocked`, and why.

    `blocked` is a constant word: `condition`, `status`, `not_allowed` (no such transition for syncd), `rep_edit`, `held`,
    `too_soon` (min_days_in_status), `waiting` (a hold period, `after_days`, a deadline that is still to come), `done_before`, `consent`,
    `earlier_rule`, `no_target` (nobody, or no company, that the rule could act on), `open_work` (an open task or a future event),
    `active` (not silent for long enough).
    """

    rule_id: str
    section: Section
    outcome: str
    blocked: str = ""


class Wanted(msgspec.Struct, frozen=True, gc=False):
    """One action that is to be done now, with its values worked out."""

    rule_id: str
    kind: ActionKind
    line: int
    source: str = ""
    options: dict[str, str] = {}
    values: dict[str, Value] = {}
    due_in_days: int | None = None
    occasion: str = ""
    """What makes it once: the instant of entering the status, of the touch or of the breach (ISO)."""
    number: int = 0
    """Its place among the actions of its rule."""
    deal: Deal | None = None
    """The opportunity that a conversion tells of."""


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What the policy wants for one person in this pass: at most one change of status, at most one conversion or opportunity, and actions.

    Attributes:
        program: Which one applied; "" for none.
        rule_id: What moved the status, or converts; "" if nothing does.
        to_status: The new status; "" for none. `is_backward` when it lies before the present one or archives.
        changes: Further fields that go with the status (flag, owner as `OwnerId` request, reason, next action).
        converts, opens: Rule id of the conversion or opportunity to be made.
        deletes: Rule id of the deletion that is due; `keeps` is that rule, or the one that waits, with when it is due.
        actions: Also of rules that moved nothing.
        starts, stops: Hold periods to begin (rule id to its end) and to forget.
        look_at: When the answer may change although nothing happens; None for never.
    """

    person_id: str
    program: str = ""
    rule_id: str = ""
    reason: str = ""
    from_status: str = ""
    to_status: str = ""
    is_backward: bool = False
    next_action: str = ""
    owner: str = ""
    means: ArchiveMeans | None = None
    is_unarchived: bool = False
    converts: str = ""
    opens: str = ""
    deletes: str = ""
    keeps: dict[str, datetime] = {}
    actions: tuple[Wanted, ...] = ()
    asked: tuple[Asked, ...] = ()
    criteria: tuple[Judged, ...] = ()
    score: int = 0
    points: tuple[Points, ...] = ()
    is_qualified: bool | None = None
    starts: dict[str, datetime] = {}
    stops: tuple[str, ...] = ()
    look_at: datetime | None = None
