"""Breaks of fetching what was announced: what each of them loses, doubles or holds up, a named test sees."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

FETCH = "syncd/run/fetch.py"
TWO_WAYS = "tests/integration/test_two_ways.py"

MUTANTS = [
    Mutant(
        "news of what is under way is ended with it",
        "syncd/store/wanted.py",
        "tuple_(c.source, c.stream, c.key, c.said).in_([(*row.ref, row.said) for row in rows])",
        "tuple_(c.source, c.stream, c.key).in_([tuple(row.ref) for row in rows])",
        (TWO_WAYS, "announced_again_while"),
    ),
    Mutant(
        "what is announced leaves the journal before it is wanted",
        "syncd/run/receive.py",
        "        ctx.store.put_wanted(",
        "        journal.remove([one.sequence for one in deliveries])\n        ctx.store.put_wanted(",
        ("tests/crash/test_two_way_crash_points.py", "death_at_any_point"),
    ),
    Mutant(
        "what is wanted is ended before its record is stored",
        FETCH,
        "        page = Page((found,)",
        "        ctx.store.end_wanted([one.row])\n        page = Page((found,)",
        ("tests/crash/test_two_way_crash_points.py", "death_at_any_point"),
    ),
    Mutant(
        "one source has the calls of all",
        FETCH,
        "busy = {ref for ref in self._under_way if ref.source == source.name}",
        "busy = self._under_way",
        (TWO_WAYS, "hangs_holds_up_no_other"),
    ),
    Mutant(
        "a vendor that is down makes records dead",
        FETCH,
        "isinstance(error, AuthError | RateLimitedError | SourceUnavailableError)",
        "isinstance(error, RateLimitedError)",
        (TWO_WAYS, "revoked_for_days"),
    ),
    Mutant(
        "a wish to be left alone is the poll's alone",
        FETCH,
        "asked, rest = left_alone_until(ctx.store, name, now), self._rests.get(name)",
        "asked, rest = None, self._rests.get(name)",
        (TWO_WAYS, "left_alone_is_by_every_way"),
    ),
    Mutant(
        "a handshake is stored",
        "syncd/intake/app.py",
        'if not verdict.is_stored or request.method != "POST":',
        "if not verdict.is_stored:",
        ("tests/integration/test_handshakes.py", "no_post_is_never_stored"),
    ),
]
