"""The process that takes deliveries in: verify, store, answer (DESIGN 7, docs/adr/0014-intake.md). Imports no pipeline."""

from syncd.intake.limits import IntakeLimits as IntakeLimits
from syncd.intake.receiver import Probes as Probes
from syncd.intake.receiver import Receiver as Receiver
from syncd.intake.server import IntakeServer as IntakeServer
