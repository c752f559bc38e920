"""Breaks of receiving: what each of them loses, lets in, or holds up, a named test sees."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

INTAKE = "tests/integration/test_intake.py"
JOURNAL = "tests/contract/test_journal.py"
WEBHOOK = "tests/unit/connectors/test_webhook.py"
SIGNATURE = "syncd/standard_webhooks.py"

MUTANTS = [
    Mutant(
        "a webhook is answered before it is stored",
        "syncd/intake/app.py",
        "await self._writer.store(delivery)",
        "asyncio.ensure_future(self._writer.store(delivery))",
        (INTAKE, "nobody_is_told_that_it_was"),
    ),
    Mutant(
        "what was not stored is answered like the rest",
        "syncd/intake/writer.py",
        '            return self._refusal("not_stored")\n        except BaseException:',
        "            return None\n        except BaseException:",
        (INTAKE, "nobody_is_told_that_it_was"),
    ),
    Mutant(
        "only the first of two secrets counts", SIGNATURE, "for key in keys:", "for key in keys[:1]:", (WEBHOOK, "either_of_two")
    ),
    Mutant(
        "the time of a signature does not count",
        "connectors/webhook/__init__.py",
        "> options.tolerance_seconds:",
        "> 10**12:",
        (WEBHOOK, "tolerance_either_way"),
    ),
    Mutant(
        "the body is not signed",
        SIGNATURE,
        "expected = _signature(key, self.id, self.timestamp, body)",
        'expected = _signature(key, self.id, self.timestamp, b"")',
        (WEBHOOK, "known_answer or changed_byte"),
    ),
    Mutant(
        "an address that begins like ours is ours",
        "connectors/webhook/origins.py",
        "if origin and (origin in origins or",
        "if origin and (any(wanted.startswith(one) for one in origins) or",
        (WEBHOOK, "open_redirect"),
    ),
    Mutant(
        "numbers of deliveries are given again",
        "syncd/store/deliveries.py",
        "sqlite_autoincrement=True",
        "sqlite_autoincrement=False",
        (JOURNAL, "never_given_again"),
    ),
    Mutant(
        "a slow head is waited for",
        "syncd/intake/patience.py",
        "self.loop.call_later(self.limits.head_seconds, self._give_up)",
        "self.loop.call_later(3_600, self._give_up)",
        (INTAKE, "slow_heads"),
    ),
]
