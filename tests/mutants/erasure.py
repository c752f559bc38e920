"""Breaks of erasures: something of a person stays, they come back, or somebody else loses what is theirs."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

PASSES = "tests/integration/test_erasing.py"
STORE = "tests/contract/test_store_erasure.py"
ERASURE = "syncd/store/erasure.py"
TRACES = "syncd/store/traces.py"
BELONGINGS = "syncd/store/belongings.py"
OTHERS = "tests/integration/test_erasing_others.py"
TOMBSTONES = "syncd/store/tombstones.py"

MUTANTS = [
    Mutant(
        "no tombstone of records",
        ERASURE,
        "for one in found.mailboxes] + [record_claim(ref) for ref in found.refs]",
        "for one in found.mailboxes]",
        (PASSES, "without_an_address"),
    ),
    Mutant(
        "no tombstone of mailboxes",
        ERASURE,
        "keys = [(MAILBOX_KIND, one) for one in found.mailboxes] + [",
        "keys = [",
        (PASSES, "not_imported_again"),
    ),
    Mutant(
        "a skipped record of somebody erased stays in the inbox",
        "syncd/store/resolved.py",
        "empty_inbox(connection, batch.erased)",
        "pass",
        (PASSES, "not_imported_again"),
    ),
    Mutant(
        "the file is not written anew",
        "syncd/store/engine.py",
        'compacting.execute("VACUUM")',
        "pass",
        (STORE, "lies_about"),
    ),
    Mutant(
        "what is deleted is not overwritten",
        "syncd/store/engine.py",
        'driver.execute("PRAGMA secure_delete = 1")',
        "pass",
        (STORE, "file_that_is_too_large"),
    ),
    Mutant(
        "what comes again is not overwritten",
        "syncd/store/resolved.py",
        "self.db.overwriting() if batch.erased else self.db.write()",
        "self.db.write()",
        (STORE, "file_that_is_too_large"),
    ),
    Mutant(
        "the log is not emptied",
        "syncd/store/engine.py",
        "(() if self.checkpoint() else (LOG_IN_USE,))",
        "()",
        (STORE, "written_anew"),
    ),
    Mutant(
        "what is kept in the org is found again",
        TOMBSTONES,
        "{sf_id: keys for sf_id, keys in key_sets.items() if sf_id not in erased}",
        "key_sets",
        (PASSES, "stays_in_the_org"),
    ),
    Mutant(
        "what is kept is linked by its external id",
        "syncd/store/mirror.py",
        ', p.state != "erased")',
        ")",
        (PASSES, "stays_in_the_org"),
    ),
    Mutant(
        "what the bin holds comes back into the mirror",
        TOMBSTONES,
        "msgspec.structs.replace(row, fields={}) if row.sf_id in erased and row.is_deleted else row",
        "row",
        (PASSES, "refused_while"),
    ),
    Mutant(
        "what a kept lead becomes is anybody's",
        TOMBSTONES,
        'wanted = {("Contact", row.contact_id) for row in rows if row.contact_id}',
        "wanted = set()",
        (PASSES, "converted_to"),
    ),
    Mutant(
        "the mirror is believed",
        "syncd/erasing.py",
        "            self._look_up(living)\n",
        "            pass\n",
        (PASSES, "nothing_of_her_is_left"),
    ),
    Mutant(
        "living records are no reason",
        "syncd/app/erase.py",
        "if living and not keep:",
        "if False:",
        (PASSES, "refused_while"),
    ),
    Mutant(
        "what is on its way is not waited for",
        "syncd/app/erase.py",
        "if any(state in _UNDER_WAY or run_id in runs",
        "if any(run_id in runs",
        (PASSES, "on_its_way"),
    ),
    Mutant(
        "what was merged into a person stays",
        BELONGINGS,
        "        hop = list(new)\n    return",
        "        found = {person_id: found[person_id]}\n        hop = []\n    return",
        (PASSES, "merged_into_her"),
    ),
    Mutant(
        "a batch in somebody's hands is stored",
        ERASURE,
        '"is_dirty": False, "redirect": ""}',
        '"is_dirty": False}',
        (STORE, "resolved_before"),
    ),
    Mutant(
        "an undo deletes what is kept",
        "syncd/app/undo.py",
        'return "person_erased"',
        'return ""',
        (PASSES, "undo_leaves"),
    ),
    Mutant(
        "payloads that name several are theirs",
        TRACES,
        "        if named <= self._mailboxes:",
        "        if named:",
        (STORE, "names_no_other_mailbox"),
    ),
    Mutant(
        "a question without candidates stays open",
        ERASURE,
        "if not kept and row.kind in _WHO_IT_IS:",
        "if False:",
        (STORE, "somebody_new"),
    ),
    Mutant(
        "a wish that was fulfilled is set aside again",
        "syncd/run/ingest.py",
        "kept = without_answered(ctx, name, task.stream, page)",
        "kept = page",
        (PASSES, "closed_and_not_repeated"),
    ),
    Mutant(
        "what waited is not counted",
        ERASURE,
        'self._count(connection, run_id, source, {"skipped": len(sequences)})',
        "pass",
        (STORE, "right_sums"),
    ),
    Mutant(
        "the person may change while they are looked at",
        ERASURE,
        "if _belongings_again(connection, found) != found:",
        "if False:",
        (STORE, "looked_at_again"),
    ),
    Mutant(
        "a part of a name or address is enough",
        "syncd/store/search.py",
        "folded == name.casefold() if is_whole else folded in name.casefold()",
        "folded in name.casefold()",
        (OTHERS, "part_of_an_address"),
    ),
    Mutant(
        "an address that only the org knows has no tombstone",
        BELONGINGS,
        "    found |= _mailboxes_in_org(connection, numbers)\n",
        "",
        (OTHERS, "only_the_org_knows"),
    ),
    Mutant(
        "a mailbox that two share keeps both away",
        BELONGINGS,
        " - _mailboxes_apart(connection, ids)",
        "",
        (OTHERS, "goes_on"),
    ),
    Mutant(
        "a mailbox begins behind an apostrophe",
        BELONGINGS,
        '[^\\s\\"<>',
        "[^\\s\\\"'<>",
        (STORE, "mailboxes_in"),
    ),
    Mutant(
        "an opt-out on its way to what stays is lost",
        "syncd/app/erase.py",
        "if living and keep and traces.is_owed:",
        "if False:",
        (OTHERS, "on_its_way_reaches"),
    ),
    Mutant(
        "whoever a question is about is taken for the person",
        TRACES,
        "return (*sorted(people), *sorted(_asked_about(connection, found)))",
        "return tuple(sorted(people))",
        (OTHERS, "whoever_is_asked_about"),
    ),
    Mutant(
        "somebody's opt-out is skipped with an erased mailbox",
        "syncd/run/resolving.py",
        "        self._keep_withdrawals(withdrawn, owners)\n",
        "        for one in withdrawn.values():\n            one.lead = None\n",
        (OTHERS, "own_record"),
    ),
    Mutant(
        "what was kept and is gone for good stays",
        "syncd/erasing.py",
        "self.store.kept_of_erased() if traces.state is PersonState.ERASED else traces.belongings.living",
        "traces.belongings.living",
        (OTHERS, "gone_for_good"),
    ),
    Mutant(
        "what a pass had taken is counted twice",
        "syncd/store/resolved.py",
        "            batch.leave_out(_ended_already(connection, batch.erased))\n",
        "",
        (STORE, "taken_already"),
    ),
    Mutant(
        "a source is told of somebody erased meanwhile",
        "syncd/store/outbox.py",
        ', t.operation.c.state == "planned")\n                marked',
        ")\n                marked",
        (OTHERS, "waited_for_a_source"),
    ),
]
