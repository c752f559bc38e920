"""The admin's mapping: from a raw record to a typed lead and a touch (DESIGN 3.4). Pure: text and records in, values out.

`load` reads and checks the YAML, `rules` are its lines as values, `compiled` runs them, `stock` knows the fields without an org.
"""

from syncd.mapping.compiled import Mapping as Mapping
from syncd.mapping.load import load_mapping as load_mapping
from syncd.mapping.rules import FieldRule as FieldRule
from syncd.mapping.schema import mapping_schema as mapping_schema
