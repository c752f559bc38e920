"""The demo: the real pipeline in a process of its own, against the bundled sandbox over real HTTPS.

Stands beside the faces: it starts what a user would start (`syncd run --once`) and looks at the org from outside.
"""

from syncd.cli.demo.story import run_demo as run_demo
