"""Configuration: syncd.yaml as frozen, typed settings (DESIGN 3.3). Hands on the raw options of sources with their places.

May be imported by daemon, wiring and the faces. Secrets are references; their values are never printed.
"""

from syncd.config.load import load_settings as load_settings
from syncd.config.load import secret_options as secret_options
from syncd.config.load import validate_options as validate_options
from syncd.config.secret import Secret as Secret
from syncd.config.settings import Settings as Settings
from syncd.config.settings import SourceSettings as SourceSettings
from syncd.config.show import show_settings as show_settings
from syncd.config.template import bundled_mappings as bundled_mappings
from syncd.config.template import write_template as write_template
