"""Closed-won opportunities as the orders and assignments that Xactly is told of. Pure: no file, clock, store or network."""

from syncd.xactly.changes import Change, Group, changes, differing
from syncd.xactly.files import batches_of, render
from syncd.xactly.lines import Deal, Line, Refusal, lines_of
from syncd.xactly.load import load_template
from syncd.xactly.model import Assign, Items, Template
from syncd.xactly.needs import fields_needed, org_problems
from syncd.xactly.period import Period, period_of

__all__ = [
    "Assign",
    "Change",
    "Deal",
    "Group",
    "Items",
    "Line",
    "Period",
    "Refusal",
    "Template",
    "batches_of",
    "changes",
    "differing",
    "fields_needed",
    "lines_of",
    "load_template",
    "org_problems",
    "period_of",
    "render",
]
