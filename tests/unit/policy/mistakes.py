"""Every mistake a policy file can have: the lines that are added to a right one, and what must be said of them.

A case is (lines, line, column, words). Lines count from 1 within the case; `STATUSES` stands before those that need programs.
"""

from __future__ import annotations

PROGRAM = """\
version: 1
programs:
  sales:
    statuses:
      New: {entry: true}
      Working:
      Qualified:
      Lost: {unqualified: true}
      Converted: {terminal: true}
    transitions:
      - {from: New, to: [Working, Qualified]}
      - {from: Working, to: [Qualified, Lost]}
      - {from: Qualified, to: Converted}
      - {from: Lost, to: New}
      - {from: any, to: Lost, by: rep}
"""
"""A right policy of 15 lines."""

STANDARDS = """\
standards:
  criteria:
    need: {met: 'any_touch("demo", 30)'}
    budget: {met: 'lead.AnnualRevenue > 5'}
  scoring:
    - {id: large, points: 5, when: 'lead.NumberOfEmployees > 100'}
  qualified: criteria.need
"""

Case = tuple[str, int, int, str]

TOP: dict[str, Case] = {
    "unknown key": ("version: 1\nprogramms: {}\n", 2, 1, 'Did you mean "programs"?'),
    "no version": ("name: x\n", 1, 1, "version: 1"),
    "version of another kind": ("version: true\n", 1, 10, "version: 1"),
    "name is a number": ("version: 1\nname: 5\n", 2, 7, 'Write "5" in quotes.'),
    "name too long": (f"version: 1\nname: {'x' * 256}\n", 2, 7, "at most 255"),
    "no time zone": ("version: 1\ntime_zone: Europe/Berln\n", 2, 12, "no time zone"),
    "no currency": ("version: 1\ncurrency: euro\n", 2, 11, "three capital letters"),
    "no enforcement": ("version: 1\nenforcement: enforced\n", 2, 14, 'Did you mean "enforce"?'),
    "days out of range": ("version: 1\nmin_days_in_status: 4000\n", 2, 21, "from 0 to 3,650"),
    "days that are no number": ("version: 1\nmin_days_in_status: a week\n", 2, 21, "whole number"),
    "a number beyond everything": (f"version: 1\nmin_days_in_status: 0x{'f' * 5000}\n", 2, 21, "too large"),
    "on_create is no mapping": ("version: 1\non_create: New\n", 2, 12, "on_create is a mapping"),
    "on_create has another key": ("version: 1\non_create: {stauts: New}\n", 2, 13, 'Did you mean "status"?'),
    "no on_deleted": ("version: 1\non_deleted: recreate\n", 2, 13, 'Did you mean "create"?'),
    "unknown field key": ("version: 1\nfields: {next_acton: X__c}\n", 2, 10, 'Did you mean "next_action"?'),
    "no field name": ("version: 1\nfields: {reason: my reason}\n", 2, 18, "API name of a field"),
    "allow_clear is no flag": ("version: 1\nconsent: {allow_clear: maybe}\n", 2, 24, "true or false"),
    "consent of no action": ("version: 1\nconsent:\n  actions: {enroll: 'true'}\n", 3, 13, 'Did you mean "enrol"?'),
    "consent condition": ("version: 1\nconsent:\n  actions: {task: 'lead.DoNotCal'}\n", 3, 20, 'Did you mean "lead.DoNotCall"?'),
    "a key twice": ("version: 1\nname: a\nname: b\n", 3, 1, "twice"),
    "rules without programs": ("version: 1\nrules: [{id: a, to: New}]\n", 2, 1, "Rules need programs:"),
    "programs is a list": ("version: 1\nprograms: [sales]\n", 2, 11, "mapping of names"),
    "a program without statuses": ("version: 1\nprograms:\n  sales: {illegal: report}\n", 3, 10, "needs statuses:"),
    "a name of a program": ("version: 1\nprograms:\n  My Sales: {statuses: {New: }}\n", 3, 13, "small letters"),
    "unknown program key": ("version: 1\nprograms:\n  sales: {status: {New: }, statuses: {New: }}\n", 3, 11, 'Did you mean "statuses"?'),
    "unknown status key": ("version: 1\nprograms:\n  sales:\n    statuses:\n      New: {entri: true}\n", 5, 13, 'Did you mean "entry"?'),
    "two entries": ("version: 1\nprograms:\n  sales:\n    statuses:\n      New: {entry: true}\n      Old: {entry: true}\n", 6, 20, '"New" is one already'),
    "a status named any": ("version: 1\nprograms:\n  sales:\n    statuses:\n      any: {entry: true}\n", 5, 12, "not any"),
    "applies_to with the score": ("version: 1\nprograms:\n  sales:\n    applies_to: 'score > 3'\n    statuses: {New: }\n", 4, 18, "worked out later"),
    "applies_to with a criterion": (STANDARDS + "version: 1\nprograms:\n  sales:\n    applies_to: criteria.need\n    statuses: {New: }\n", 11, 17, "worked out later"),
    "a rule to where syncd may not go": ("version: 1\nprograms:\n  s:\n    statuses: {New: , Old: }\n    transitions: [{from: New, to: Old, by: rep}]\nrules: [{id: a, to: Old}]\n", 6, 21, "no transition to it for syncd"),
    "a hundred keys": ("version: 1\nfields: {" + ", ".join(f"k{n}: x" for n in range(100)) + "}\n", 2, 9, "fields has 100 keys"),
    "too long": ("version: 1\n# " + "x" * 200_000, 0, 0, "more than 200,000"),
}  # fmt: skip

TRANSITIONS: dict[str, Case] = {
    "a transition from nowhere": ("      - {from: Nwe, to: Working}\n", 1, 16, 'Did you mean "New"?'),
    "a transition to nowhere": ("      - {from: New, to: [Working, Losst]}\n", 1, 35, 'Did you mean "Lost"?'),
    "a transition without to": ("      - {from: New}\n", 1, 9, "needs to:"),
    "a transition to itself": ("      - {from: New, to: New}\n", 1, 9, "to itself"),
    "by nobody": ("      - {from: New, to: Lost, by: reps}\n", 1, 35, 'Did you mean "rep"?'),
    "an empty list": ("      - {from: [], to: Lost}\n", 1, 16, "empty list"),
    "a mode of illegal": ("    illegal: reprot\n", 1, 14, 'Did you mean "report"?'),
    "illegal: map": ("    illegal: map\n", 1, 14, "{map: {OLD: NEW}}"),
    "illegal maps to nowhere": ("    illegal: {map: {Old: Nwe}}\n", 1, 26, 'Did you mean "New"?'),
    "illegal with another key": ("    illegal: {maps: {Old: New}}\n", 1, 15, 'Did you mean "map"?'),
    "a condition that is none": ("    applies_to: '\"site\" in person.source'\n", 1, 28, 'Did you mean "person.sources"?'),
}  # fmt: skip

STANDARDS_CASES: dict[str, Case] = {
    "a name of a criterion": ("standards:\n  criteria:\n    Need: {met: 'true'}\n", 3, 11, "small letters"),
    "a criterion without a side": ("standards:\n  criteria:\n    need: {meaning: x}\n", 3, 11, "needs met: or unmet:"),
    "unknown criterion key": ("standards:\n  criteria:\n    need: {mett: 'true', met: 'true'}\n", 3, 12, 'Did you mean "met"?'),
    "a criterion below": ("standards:\n  criteria:\n    a: {met: criteria.b}\n    b: {met: 'true'}\n", 3, 14, "does not stand above"),
    "a criterion of itself": ("standards:\n  criteria:\n    a: {met: criteria.a}\n", 3, 14, "does not stand above"),
    "qualified in a criterion": ("standards:\n  criteria:\n    a: {met: qualified}\n", 3, 14, "worked out later"),
    "qualified in itself": ("standards:\n  qualified: 'qualified'\n", 2, 15, "worked out later"),
    "an unknown criterion": ("standards:\n  criteria:\n    need: {met: 'true'}\n  qualified: criteria.ned\n", 4, 14, 'Did you mean "criteria.need"?'),
    "score in scoring": ("standards:\n  scoring:\n    - {id: a, points: 1, when: 'score > 2'}\n", 3, 33, "worked out later"),
    "neither when nor touch": ("standards:\n  scoring:\n    - {id: a, points: 1}\n", 3, 7, "either when: or touch:"),
    "both when and touch": ("standards:\n  scoring:\n    - {id: a, points: 1, when: 'true', touch: x}\n", 3, 7, "either when: or touch:"),
    "halving a condition": ("standards:\n  scoring:\n    - {id: a, points: 1, when: 'true', halves_after_days: 3}\n", 3, 40, "with touch: only"),
    "points without a number": ("standards:\n  scoring:\n    - {id: a, points: many, touch: x}\n", 3, 23, "whole number"),
    "an id of scoring twice": ("standards:\n  scoring:\n    - {id: a, points: 1, touch: x}\n    - {id: a, points: 2, touch: y}\n", 4, 12, "in line 18 already"),
    "a clock that cannot be told": ("standards:\n  qualified: 'days_since(lead.CreatedDate) + 1 > score'\n", 2, 15, "cannot tell when"),
    "touches by hand": ("standards:\n  qualified: 'count(touches) > 3'\n", 2, 21, "any_touch"),
}  # fmt: skip

RULES: dict[str, Case] = {
    "no id": ("rules:\n  - {to: Working, from: New}\n", 2, 5, "needs id:"),
    "an id that is none": ("rules:\n  - {id: Is Good, to: Working, from: New}\n", 2, 10, "small letters"),
    "an id twice": ("rules:\n  - {id: a, to: Working, from: New}\nsla:\n  - {id: a, within_days: 1}\n", 4, 10, "already"),
    "no to": ("rules:\n  - {id: a, from: New}\n", 2, 5, "needs to:"),
    "unknown rule key": ("rules:\n  - {id: a, from: New, to: Working, wehn: 'true'}\n", 2, 37, 'Did you mean "when"?'),
    "a key of another section": ("rules:\n  - {id: a, from: New, to: Working, within_days: 3}\n", 2, 37, 'no key "within_days"'),
    "from nowhere": ("rules:\n  - {id: a, from: Nw, to: Working}\n", 2, 19, 'Did you mean "New"?'),
    "to nowhere": ("rules:\n  - {id: a, from: New, to: Workng}\n", 2, 28, 'Did you mean "Working"?'),
    "to itself": ("rules:\n  - {id: a, from: New, to: New}\n", 2, 28, "to itself"),
    "not allowed to syncd": ("rules:\n  - {id: a, from: Qualified, to: Lost}\n", 2, 34, "no such transition for syncd"),
    "no program of that name": ("rules:\n  - {id: a, from: New, to: Working, program: slaes}\n", 2, 46, 'Did you mean "sales"?'),
    "no target": ("nurture:\n  - {id: a, target: contacts, when: 'true', do: [{task: {subject: x}}]}\n", 2, 21, 'Did you mean "contact"?'),
    "a rule of status about contacts": ("rules:\n  - {id: a, from: New, to: Working, target: contact}\n", 2, 45, "about leads only"),
    "a wrong kind": ("rules:\n  - {id: a, from: New, to: Working, when: 'lead.Title > 5'}\n", 2, 44, "cannot compare"),
    "no condition": ("rules:\n  - {id: a, from: New, to: Working, when: 'score'}\n", 2, 44, "A condition is needed"),
    "code": ("rules:\n  - {id: a, from: New, to: Working, when: '__import__(\"os\").system(\"id\")'}\n", 2, 44, "Only the listed functions"),
    "overrides nothing": ("rules:\n  - {id: a, from: New, to: Working, overrides_rep: 1}\n", 2, 52, "true or false"),
    "sections are lists": ("rules: {id: a}\n", 1, 8, "is a list"),
    "a rule is a mapping": ("rules: [a]\n", 1, 9, "is a mapping"),
    "revive without intent": ("revive:\n  - {id: a, from: Lost, to: New}\n", 2, 5, "needs on:"),
    "revive on no criterion": (STANDARDS + "revive:\n  - {id: a, from: Lost, to: New, on_criteria: ned}\n", 9, 47, 'Did you mean "need"?'),
    "revive for nobody": ("revive:\n  - {id: a, from: Lost, to: New, on: form, owner: prevous}\n", 2, 51, 'Did you mean "previous"?'),
    "recycle without a path": ("recycle:\n  - {id: a, from: Lost}\n", 2, 5, "needs do:"),
    "recycle that never moves": ("recycle:\n  - {id: a, from: Lost, to: New}\n", 2, 5, "go together"),
    "archive everybody": ("archive:\n  - {id: a, from: Working, means: {status: Lost}}\n", 2, 5, "needs when: or inactive_days:"),
    "means is a mapping": ("archive:\n  - {id: a, inactive_days: 9, means: Lost}\n", 2, 38, "means is a mapping"),
    "archive by nothing": ("archive:\n  - {id: a, inactive_days: 9, means: {previous_owner_field: X__c}}\n", 2, 38, "needs status:, flag: or owner:"),
    "archive to nobody": ("archive:\n  - {id: a, inactive_days: 9, means: {owner: Archive}}\n", 2, 46, "user:NAME, queue:NAME"),
    "a previous owner of nobody": ("archive:\n  - {id: a, inactive_days: 9, means: {flag: X__c, previous_owner_field: Y__c}}\n", 2, 51, "goes with owner:"),
    "delete is a mapping": ("archive:\n  - {id: a, inactive_days: 9, means: {status: Lost}, delete: 90}\n", 2, 62, "delete is a mapping"),
    "delete without a time": ("archive:\n  - {id: a, inactive_days: 9, means: {status: Lost}, delete: {id: b}}\n", 2, 62, "needs after_days:"),
    "delete at once": ("archive:\n  - {id: a, inactive_days: 9, means: {status: Lost}, delete: {after_days: 29}}\n", 2, 75, "from 30 to"),
    "delete what is only given away": ("archive:\n  - {id: a, inactive_days: 9, means: {owner: 'queue:A'}, delete: {after_days: 90}}\n", 2, 66, "means with status: or flag:"),
    "delete in earnest what is watched": ("archive:\n  - {id: a, inactive_days: 9, enforcement: observe, means: {status: Lost}, delete: {after_days: 90, enforcement: enforce}}\n", 2, 84, "cannot be enforced"),
    "delete with an id that is taken": ("archive:\n  - {id: a, inactive_days: 9, means: {status: Lost}, delete: {after_days: 90, id: a}}\n", 2, 83, "stands in line 17 already"),
    "delete what nobody archives": ("rules:\n  - {id: a, from: New, to: Working, delete: {after_days: 90}}\n", 2, 37, 'has no key "delete"'),
    "conversion of anybody": (STANDARDS + "convert:\n  - {id: a, from: Qualified, when: 'score > 3', status: Converted}\n", 9, 36, "must ask for qualified"),
    "conversion without a condition": (STANDARDS + "convert:\n  - {id: a, from: Qualified, status: Converted}\n", 9, 5, "must ask for qualified"),
    "conversion of the unqualified": (STANDARDS + "convert:\n  - {id: a, from: Qualified, when: 'not qualified', status: Converted}\n", 9, 36, "must ask for qualified"),
    "conversion of one or the other": (STANDARDS + "convert:\n  - {id: a, from: Qualified, when: 'qualified or score > 3', status: Converted}\n", 9, 36, "must ask for qualified"),
    "conversion from anywhere": (STANDARDS + "convert:\n  - {id: a, when: qualified, status: Converted}\n", 9, 5, "needs from:"),
    "conversion that is not allowed": (STANDARDS + "convert:\n  - {id: a, from: New, when: qualified, status: Converted}\n", 9, 49, "no such transition for syncd"),
    "conversion without standards": ("convert:\n  - {id: a, from: Qualified, when: qualified, status: Converted}\n", 2, 5, "converts nobody"),
    "conversion to no opportunity": (STANDARDS + "convert:\n  - {id: a, from: Qualified, when: qualified, status: Converted, opportunity: strng}\nopportunity:\n  - {id: strong, when: 'score > 3', name: lead.Company, stage: X, close_in_days: 3}\n", 9, 79, 'Did you mean "strong"?'),
    "conversion to a contact's opportunity": (STANDARDS + "convert:\n  - {id: a, from: Qualified, when: qualified, status: Converted, opportunity: strong}\nopportunity:\n  - {id: strong, target: contact, when: 'score > 3', name: lead.Company, stage: X, close_in_days: 3}\n", 9, 79, "about contacts"),
    "no such match": (STANDARDS + "convert:\n  - {id: a, from: Qualified, when: qualified, status: Converted, match: [domian]}\n", 9, 74, 'Did you mean "domain"?'),
    "a move to a converted status": (STANDARDS + "rules:\n  - {id: b, from: Qualified, to: Converted}\nconvert:\n  - {id: a, from: Qualified, when: qualified, status: Converted}\n", 9, 34, "only a conversion may set it"),
    "an opportunity of anybody": ("opportunity:\n  - {id: a, name: lead.Company, stage: X, close_in_days: 3}\n", 2, 5, "needs when: of its own"),
    "an opportunity that always holds": ("opportunity:\n  - {id: a, when: 'true', name: lead.Company, stage: X, close_in_days: 3}\n", 2, 19, "always holds"),
    "a name that is no text": ("opportunity:\n  - {id: a, when: 'score > 3', name: '5 + 5', stage: X, close_in_days: 3}\n", 2, 39, "Text is needed"),
    "no close date": ("opportunity:\n  - {id: a, when: 'score > 3', name: lead.Company, stage: X}\n", 2, 5, "needs close_in_days:"),
    "one open of nothing": ("opportunity:\n  - {id: a, when: 'score > 3', name: lead.Company, stage: X, close_in_days: 3, one_open_per: acount}\n", 2, 94, 'Did you mean "account"?'),
    "a field of an opportunity": ("opportunity:\n  - {id: a, when: 'score > 3', name: lead.Company, stage: X, close_in_days: 3, fields: {X__c: lead.Ttle}}\n", 2, 95, 'Did you mean "lead.Title"?'),
    "nurture of nothing": ("nurture:\n  - {id: a, from: Lost}\n", 2, 5, "needs do:"),
    "nurture for everybody": ("nurture:\n  - {id: a, do: [{task: {subject: x}}]}\n", 2, 5, "needs from: or when:"),
    "a status of a contact": ("nurture:\n  - {id: a, target: contact, from: Lost, do: [{task: {subject: x}}]}\n", 2, 30, "no status"),
    "no time": ("sla:\n  - {id: a, from: New}\n", 2, 5, "exactly one of"),
    "two times": ("sla:\n  - {id: a, from: New, within_days: 1, within_hours: 3}\n", 2, 5, "exactly one of"),
    "no clock": ("sla:\n  - {id: a, from: New, within_days: 1, clock: arival}\n", 2, 47, 'Did you mean "arrival"?'),
    "the clock of a contact": ("sla:\n  - {id: a, target: contact, within_days: 1}\n", 2, 5, "its clock is arrival"),
}  # fmt: skip

_SLA = "sla:\n  - id: a\n    within_days: 1\n    do:\n"
ACTIONS: dict[str, Case] = {
    "an action of two keys": (_SLA + "      - {task: {subject: x}, owner: {to: account}}\n", 5, 9, "one key"),
    "no such action": (_SLA + "      - {taks: {subject: x}}\n", 5, 10, 'Did you mean "task"?'),
    "a task of nothing": (_SLA + "      - {task: {priority: High}}\n", 5, 16, "needs subject:"),
    "a key of a task": (_SLA + "      - {task: {subject: x, due: 3}}\n", 5, 29, 'no key "due"'),
    "an owner that is none": (_SLA + "      - {owner: {to: Hot Leads}}\n", 5, 22, "queue:NAME"),
    "a contact of a queue": (_SLA.replace("id: a", "id: a\n    target: contact\n    clock: arrival") + "      - {owner: {to: 'queue:Hot Leads'}}\n", 7, 22, "A contact cannot belong to a queue in Salesforce, only to a user"),
    "a flag without a field": (_SLA + "      - {flag: {value: true}}\n", 5, 16, "needs field:"),
    "an action of nothing": (_SLA + "      - {tag: }\n", 5, 14, "tag is a mapping"),
    "a field of nothing": (_SLA + "      - {task: {subject: x, fields: {Description: 5}}}\n", 5, 51, "fields.Description is a text"),
    "enrol nowhere": (_SLA + "      - {enrol: {audience: L1}}\n", 5, 17, "needs source:"),
    "an unknown source": (_SLA + "      - {enrol: {source: newsleter, audience: L1}}\n", 5, 26, 'Did you mean "newsletter"?'),
    "an option that is a mapping": (_SLA + "      - {tag: {source: newsletter, tag: {a: b}}}\n", 5, 41, "a text, a number"),
    "a conversion of nothing": (_SLA + "      - {conversion: {source: newsletter, consent: x}}\n", 5, 22, "needs event:"),
    "a conversion to what": (_SLA + "      - {conversion: {source: newsletter, event: qualifed, consent: x}}\n", 5, 50, 'Did you mean "qualified"?'),
    "a conversion without leave": (_SLA + "      - {conversion: {source: newsletter, event: qualified}}\n", 5, 22, "needs consent:"),
    "a conversion that takes a name along": (_SLA + "      - {conversion: {source: newsletter, event: qualified, consent: x, fields: {name: lead.LastName}}}\n", 5, 82, "only value"),
    "a conversion of a lead that is won": (_SLA + "      - {conversion: {source: newsletter, event: won, consent: x, currency: EUR}}\n", 2, 5, "target: contact"),
    "a conversion in no currency": (_SLA + "      - {conversion: {source: newsletter, event: qualified, consent: x, fields: {value: '5 + 5'}}}\n", 2, 5, "no currency"),
    "a currency of a conversion": (_SLA + "      - {conversion: {source: newsletter, event: qualified, consent: x, currency: euro}}\n", 5, 83, "three capital letters"),
    "a field that is no expression": (_SLA + "      - {enrol: {source: newsletter, fields: {FNAME: lead.FirstNam}}}\n", 5, 54, 'Did you mean "lead.FirstName"?'),
}  # fmt: skip

_TEST = "rules:\n  - {id: replied, from: New, to: Working}\ntests:\n"
TESTS: dict[str, Case] = {
    "a test of nobody": (_TEST + "  - {name: x, expect: {status: New}}\n", 4, 5, "needs given:"),
    "a test of nothing": (_TEST + "  - {name: x, given: {status: New}, expect: {}}\n", 4, 45, "expects something"),
    "given what": (_TEST + "  - {name: x, given: {sttus: New}, expect: {status: New}}\n", 4, 23, 'Did you mean "status"?'),
    "expect what": (_TEST + "  - {name: x, given: {status: New}, expect: {stats: New}}\n", 4, 46, 'Did you mean "status"?'),
    "no day": (_TEST + "  - {name: x, today: soon, given: {status: New}, expect: {status: New}}\n", 4, 22, "today is a day"),
    "no field": (_TEST + "  - {name: x, given: {lead: {Titel: X}}, expect: {status: New}}\n", 4, 30, 'Did you mean "Title"?'),
    "a value that is a list": (_TEST + "  - {name: x, given: {lead: {Title: [X]}}, expect: {status: New}}\n", 4, 37, "a text, a number"),
    "a touch without a day": (_TEST + "  - {name: x, given: {touches: [{channel: x}]}, expect: {status: New}}\n", 4, 33, "days_ago:"),
    "a contact with a status": (_TEST + "  - {name: x, given: {object: Contact, status: New}, expect: {score: 0}}\n", 4, 48, "no status"),
    "days in no status": (_TEST + "  - {name: x, given: {days_in_status: 3}, expect: {score: 0}}\n", 4, 23, "goes with status:"),
    "no such rule": (_TEST + "  - {name: x, given: {status: New}, expect: {rule: replyed}}\n", 4, 52, 'Did you mean "replied"?'),
    "no such status": (_TEST + "  - {name: x, given: {status: New}, expect: {status: Workng}}\n", 4, 54, 'Did you mean "Working"?'),
    "no such word": (_TEST + "  - {name: x, given: {status: New}, expect: {blocked: {replied: conditions}}}\n", 4, 65, 'Did you mean "condition"?'),
    "no such criterion": (_TEST + "  - {name: x, given: {status: New}, expect: {criteria: {need: true}}}\n", 4, 57, 'no criterion "need"'),
    "an expected action without options": (_TEST + "  - {name: x, given: {status: New}, expect: {actions: [{task: call}]}}\n", 4, 63, "{kind: {option: value}}"),
    "a touch is a mapping": (_TEST + "  - {name: x, given: {touches: [demo]}, expect: {score: 0}}\n", 4, 33, "A touch is a mapping"),
    "too many sources": (_TEST + f"  - {{name: x, given: {{sources: [{', '.join('abc')}{', d' * 200}]}}, expect: {{score: 0}}}}\n", 4, 32, "at most 200"),
    "no such expected action": (_TEST + "  - {name: x, given: {status: New}, expect: {actions: [taks]}}\n", 4, 56, 'Did you mean "task"?'),
    "qualified is what": (_TEST + "  - {name: x, given: {status: New}, expect: {qualified: perhaps}}\n", 4, 57, "true, false or null"),
    "fired a rule that is none": (_TEST + "  - {name: x, given: {status: New, fired: {replyed: 3}}, expect: {score: 0}}\n", 4, 44, 'Did you mean "replied"?'),
}  # fmt: skip
