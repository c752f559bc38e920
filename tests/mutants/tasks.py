"""Breaks of tasks for owners: made twice, made for nobody, forgotten, or in the way of their lead."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

TASKS = "tests/integration/test_tasks.py"
STORE = "tests/contract/test_store_tasks.py"
OWED = "syncd/plan/tasks.py"
PLANNER = "syncd/plan/planner.py"

MUTANTS = [
    Mutant("a task without an id of its own", PLANNER, "own_id=one.external_id", 'own_id=""', (TASKS, "in_the_same_pass")),
    Mutant("a task is planned again each pass", OWED, "if name not in over", "if name or over", (TASKS, "in_the_same_pass")),
    Mutant(
        "nobody asks again after the create",
        PLANNER,
        "stays_dirty = self._plan_tasks() or stays_dirty",
        "self._plan_tasks()",
        (TASKS, "in_the_same_pass"),
    ),
    Mutant("every lane is hot", OWED, "record.lane <= Lane.POLICY", "record.lane <= Lane.REMAP", (TASKS, "did_not_come_hot")),
    Mutant(
        "a queue gets the task",
        OWED,
        "if not owner_id.startswith(USER) or owner_id == settings.own_user_id:",
        "if owner_id == settings.own_user_id:",
        (TASKS, "takes_the_lead_from_the_queue"),
    ),
    Mutant(
        "nobody notices that a lead was taken from its queue",
        "syncd/store/mirror.py",
        "            dirty |= _owed(connection, handed_over - dirty)\n",
        "",
        (TASKS, "takes_the_lead_from_the_queue"),
    ),
    Mutant(
        "a task in doubt is looked up by its person",
        "syncd/run/recover.py",
        "[one.external_id for one in creates]",
        "[one.person_id for one in creates]",
        (TASKS, "lost_answer"),
    ),
    Mutant(
        "a task under way holds its person",
        "syncd/store/people.py",
        'o.object != "Task"))',
        "o.object != '-'))",
        (STORE, "does_not_hold_its_person"),
    ),
    Mutant(
        "a failing task holds its person for the pass",
        "syncd/run/judge.py",
        ' and operation.object not in ("Task", "Opportunity")\n',
        "\n",
        (TASKS, "tried_once_a_pass"),
    ),
    Mutant(
        "a failing task is tried on and on in one pass",
        OWED,
        "if tries and tries[-1].run_id == run_id and tries[-1].code:",
        "if False:",
        (TASKS, "tried_once_a_pass"),
    ),
    Mutant(
        "refused tasks stop the leads",
        "syncd/run/judge.py",
        "            if is_aside:\n",
        "            if False:\n",
        (TASKS, "never_stop"),
    ),
    Mutant(
        "who takes a record over makes its task again",
        "syncd/store/desk.py",
        'o.kind.in_(("task", "action", "convert", "expire"))',
        'o.kind.in_(("-", "action", "convert", "expire"))',
        (TASKS, "found_to_be_one"),
    ),
    Mutant(
        "tasks are mirrored",
        "syncd/store/outbox.py",
        '_NOT_ECHOED = ("delete", "expire", "task", "opportunity", "action")',
        '_NOT_ECHOED = ("delete", "expire", "opportunity", "action")',
        (STORE, "not_mirrored"),
    ),
    Mutant(
        "an undo takes somebody's work along",
        "syncd/app/undo.py",
        '"its_task_changed_since" if one.sf_id in worked_on else ""',
        '""',
        (TASKS, "worked_on"),
    ),
]
