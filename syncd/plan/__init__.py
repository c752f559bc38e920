"""Plan: three-way diff per field, consent first, one operation per target (DESIGN 5). Pure."""

from syncd.plan.canonical import canonical as canonical
from syncd.plan.canonical import same as same
from syncd.plan.facts import facts_of as facts_of
from syncd.plan.facts import has_opted_out as has_opted_out
from syncd.plan.facts import is_led_by_person as is_led_by_person
from syncd.plan.facts import is_old as is_old
from syncd.plan.facts import standing_record as standing_record
from syncd.plan.facts import stated as stated
from syncd.plan.guard import GUARD_FLOOR as GUARD_FLOOR
from syncd.plan.guard import guard_reason as guard_reason
from syncd.plan.once import named_rule as named_rule
from syncd.plan.once import rule_name as rule_name
from syncd.plan.planner import PlanSettings as PlanSettings
from syncd.plan.planner import plan_person as plan_person
from syncd.plan.source_actions import action_of as action_of
from syncd.plan.source_actions import stated_action as stated_action
from syncd.plan.standards import StandardsSettings as StandardsSettings
from syncd.plan.standards import carry as carry
from syncd.plan.survivorship import golden as golden
from syncd.plan.tasks import TaskSettings as TaskSettings
from syncd.plan.tasks import contact_of as contact_of
from syncd.plan.tasks import task_id as task_id
from syncd.plan.verdict import NO_BASE as NO_BASE
from syncd.plan.verdict import Verdict as Verdict
from syncd.plan.verdict import decide_field as decide_field
