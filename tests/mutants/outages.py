"""Breaks of how a lost source is told: too often, too seldom, or without a word that helps; a named test sees each."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

OUTAGE = "syncd/run/outage.py"
LOST = "tests/integration/test_lost_and_back.py"

MUTANTS = [
    Mutant(
        "a lost source is told each pass",
        OUTAGE,
        "    if ctx.lose(what):\n        kind",
        "    ctx.lose(what)\n    if True:\n        kind",
        (LOST, "back_once and typeform-away"),
    ),
    Mutant(
        "a source that is back is not told",
        OUTAGE,
        "    ctx.log.info(events.SOURCE_RECOVERED,",
        "    ctx.log.debug(events.PAGE_STORED,",
        (LOST, "back_once and typeform-away"),
    ),
    Mutant(
        "a lost source says its class and no reason",
        OUTAGE,
        'stage="extract", error_type=kind, reason=why)',
        'stage="extract", error_type=kind, reason=kind)',
        (LOST, "back_once and typeform-refused"),
    ),
]
