"""The lines of a mapping as values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from syncd.expressions import Expression
from syncd.mapping.paths import Path as Path
from syncd.mapping.paths import find as find
from syncd.mapping.paths import find_all as find_all
from syncd.mapping.paths import path_of as path_of
from syncd.model import FieldSchema, Overwrite, Value
from syncd.normalise.transforms import Args

_NO_ARGS = Args()


@dataclass(frozen=True, slots=True)
class FieldRule:
    """One line of `lead:`.

    `paths` are tried in order. `constant` counts where there are none. `translate` is keyed by folded text.
    `unknown` is keep, no_value or reject. `schema` is the describe (None for an unknown custom field).
    `region_path` reads the region from the record.
    """

    name: str
    line: int
    column: int
    paths: tuple[Path, ...] = ()
    constant: Value = None
    transform: str = ""
    args: Args = _NO_ARGS
    region_path: Path | None = None
    translate: Mapping[str, Value] = field(default_factory=dict)
    unknown: str = "keep"
    default: Value = None
    overwrite: Overwrite = Overwrite.IF_UNCHANGED
    clears: bool = False
    schema: FieldSchema | None = None

    @property
    def kind(self) -> str:
        """`text`, `number`, `boolean`, `date`, `instant`, or `""` for a field whose type is not known."""
        if self.schema is None:
            return {"number": "number", "boolean": "boolean", "date": "date", "instant": "instant"}.get(self.transform, "")
        kinds = {"boolean": "boolean", "date": "date", "datetime": "instant"} | dict.fromkeys(
            ("int", "double", "currency", "percent", "long"), "number"
        )
        return kinds.get(self.schema.type, "text")

    @property
    def written_values(self) -> tuple[str, ...]:
        """Texts that this line can write as they stand."""
        values = [self.constant, self.default, *self.translate.values()]
        return tuple(dict.fromkeys(value for value in values if isinstance(value, str)))


@dataclass(frozen=True, slots=True)
class TouchRule:
    """`touch:`: constants, paths and lines. `campaign_is_source` puts the source's name."""

    channel: FieldRule | None = None
    at: FieldRule | None = None
    campaign: str = ""
    campaign_paths: tuple[Path, ...] = ()
    campaign_is_source: bool = False
    source_url: tuple[Path, ...] = ()
    consent: tuple[Path, ...] = ()
    utm: Mapping[str, tuple[Path, ...] | FieldRule] = field(default_factory=dict)
    click_ids: Mapping[str, tuple[Path, ...] | FieldRule] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskRule:
    """`task:`. `due_in_days` None: no due day. `when` None: for every record."""

    line: int
    subject: FieldRule
    description: FieldRule | None = None
    due_in_days: int | None = None
    priority: str = "Normal"
    status: str = "Not Started"
    when: Expression | None = None


SENTENCES = {
    "invalid_email": "The value is no e-mail address.",
    "junk_email": "The value is a placeholder, not somebody's e-mail address.",
    "invalid_phone": "The value is no phone number (or its country is not known: see region).",
    "mangled_number": "A spreadsheet has destroyed this number.",
    "formula": "The value is a spreadsheet formula.",
    "invalid_number": "The value is no number in the declared locale.",
    "number_out_of_range": "The number has more digits than the field.",
    "invalid_boolean": "The value is neither yes nor no.",
    "invalid_date": "The value is no day in the declared formats.",
    "invalid_instant": "The value is no instant in the declared formats (or its zone is not declared).",
    "unknown_country": "No country goes by that name.",
    "invalid_url": "The value is no web address.",
    "invalid_domain": "The value holds no domain.",
    "invalid_text": "The value is a list or an object, not text.",
    "too_long": "The value is longer than the field and may not be cut.",
    "cut_to_length": "The value was longer than the field and was cut.",
    "cleaned": "Characters that no field can hold were removed.",
    "unknown_value": "The value is not in translate:, and unknown: is reject.",
    "not_in_picklist": "The value is not in the field's restricted picklist.",
    "no_identity": "The record holds no name, e-mail address or phone number.",
    "not_an_object": "The record is no JSON object.",
}
"""Every problem reason with its sentence; values of a record are never quoted."""
