"""Breaks of the export to Xactly: somebody paid twice, not at all, or for what was lost."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

EXPORT = "syncd/app/xactly.py"
LINES = "syncd/xactly/lines.py"
CHANGES = "syncd/xactly/changes.py"
TESTS = "tests/integration/test_xactly.py"
CRASH = "tests/crash/test_xactly_crash_points.py"

MUTANTS = [
    Mutant(
        "files before the ledger",
        EXPORT,
        "            store.put_xactly_batch(batch, rows)\n            deliver(store, drop, batch)\n",
        "            deliver(store, drop, batch)\n            store.put_xactly_batch(batch, rows)\n",
        (CRASH, "each_row_is_loaded_once and at_once"),
    ),
    Mutant(
        "what may have been taken is put once more",
        EXPORT,
        'if batch.state == "delivering":',
        'if batch.state == "never":',
        (CRASH, "two_deaths"),
    ),
    Mutant(
        "the manifest before anybody knows of it",
        EXPORT,
        '        store.set_xactly_state(batch.name, "delivering")\n        drop.put(manifest, batch.files[manifest].encode())\n',
        '        drop.put(manifest, batch.files[manifest].encode())\n        store.set_xactly_state(batch.name, "delivering")\n',
        (CRASH, "two_deaths"),
    ),
    Mutant(
        "a loss is told to nobody",
        CHANGES,
        "        yield Change(documents",
        "        if line: yield Change(documents",
        (TESTS, "won_no_more"),
    ),
    Mutant(
        "what cannot be exported takes back what stands",
        CHANGES,
        "            if not held.holds(deal, part):\n",
        "            if True:\n",
        (TESTS, "leaves_what_stands"),
    ),
    Mutant(
        "shares may be less than all",
        LINES,
        "total != template.split_total",
        "total > template.split_total",
        (TESTS, "must_add_up"),
    ),
    Mutant(
        "cents of binary fractions",
        LINES,
        "Decimal(str(value))",
        "Decimal(value)",
        ("tests/unit/xactly/test_lines.py", "two_digits"),
    ),
    Mutant(
        "a reversal ends nothing",
        "syncd/store/xactly.py",
        "_STANDING, _REVERSED)\n",
        "_STANDING, _STANDING)\n",
        ("tests/contract/test_store_xactly.py", "latest_version"),
    ),
]
