"""Values in, canonical values or a problem out. Pure: no I/O, no clock; libraries do the work (stack.md 2).

`transforms` holds the transforms that mappings name, `keys` what identity compares. Normalising twice is normalising once.
"""

from syncd.normalise.transforms import TRANSFORMS as TRANSFORMS
from syncd.normalise.transforms import Args as Args
from syncd.normalise.transforms import Bad as Bad
