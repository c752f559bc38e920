"""A world to which a web site sends: signed deliveries in the journal, as the intake stores them, and a hot lane to move them on."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syncd.model import Delivery, Lane
from syncd.run.context import Scope
from syncd.run.one_pass import Summary
from syncd.wiring import House
from tests.world import BOOTH, World

SECRET = "whsec_c3luY2Qtc3RhbmRhcmQtd2ViaG9vay1rZXk="
SITE = f"  site: {{type: webhook, secret: {SECRET}, mapping: webhook}}\n"
STOCK_MAPPING = (Path(__file__).parents[1] / "mappings" / "webhook.yaml").read_text(encoding="utf-8")
TASK = 'task: {subject: "Call back", due_in_days: 1}\n'


@dataclass
class Site(World):
    """A world with a source `site` beside the drop folder; with `asks_for_task` its mapping wants a task for each lead."""

    asks_for_task: bool = False

    def __post_init__(self) -> None:
        """Write the configuration."""
        self.sources = BOOTH + SITE
        super().__post_init__()
        self.write(
            "mappings/webhook.yaml",
            STOCK_MAPPING.replace("lead:\n", f"{TASK}lead:\n", 1) if self.asks_for_task else STOCK_MAPPING,
        )
        self._sent = 0

    def send(self, email: str, *, name: str = "", **more: str) -> None:
        """A delivery is stored and answered; the same `name` is a sender's repetition."""
        self._sent += 1
        self.clock.advance(1)
        name = name or f"msg_{self._sent}"
        person = {"email": email, "first_name": "Ada", "last_name": "Byron", "company": "Engines", **more}
        body = json.dumps({"type": "lead.created", "data": person}).encode()
        now = self.clock.now()
        delivery = Delivery("site", now, body, name, now, "application/json")
        with closing(self.open()) as house:
            house.journal.put([delivery])

    def filled(self) -> None:
        """Fill the mirror, which comes before anything."""
        self.run()

    def heat(
        self,
        *,
        steps: int = 20,
        wrap: Callable[[Any, str], Any] | None = None,
        arrived: Callable[[str, float], None] | None = None,
    ) -> Summary:
        """A process whose hot lane moves everything on and ends its run."""
        self.clock.advance(1)
        with closing(self.open(wrap)) as house:
            house.take_over()
            run = house.hot_run(house.pushed_sources(), arrived or (lambda source, seconds: None))
            try:
                for _ in range(steps):
                    if not run.step(house.pushed_sources()) and not house.has_hot(house.pushed_sources()):
                        break
                return run.end()
            except BaseException:
                run.abandon()
                raise

    def sweep(self, house: House) -> Summary:
        """What the live lane does beside: everything that is open."""
        return house.run_lane(house.lane_context((), Lane.INCREMENT, Scope(reads_ranges=False, remaps=False)))
