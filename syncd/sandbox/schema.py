"""What a field and an object of the sandbox are, and how a describe shows them. The stock ones are in `objects.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_INDEXED = frozenset(
    {"Email", "OwnerId", "ConvertedContactId", "DeveloperName", "Username", "WhoId", "WhatId", "AccountId", "OpportunityId"}
)
_WITHOUT_LENGTH = frozenset({"boolean", "double", "currency", "percent", "int", "datetime", "date", "address"})
MASTER_RECORD_TYPE = "012000000000000AAA"
"""The record type that every object has."""
_MASTER: dict[str, Any] = {"Id": MASTER_RECORD_TYPE, "DeveloperName": "Master", "Name": "Master", "IsActive": True}


@dataclass(slots=True)
class Field:
    """One field of a describe; `type` as Salesforce names it, `length` in characters."""

    name: str
    type: str = "string"
    length: int = 255
    precision: int = 0
    scale: int = 0
    createable: bool = True
    updateable: bool = True
    nillable: bool = True
    defaulted: bool = False
    unique: bool = False
    external_id: bool = False
    id_lookup: bool = False
    restricted: bool = False
    picklist: tuple[str, ...] = ()
    refers_to: tuple[str, ...] = ()  # objects whose ids a reference may hold
    filterable: bool = True
    default: Any = None  # what an org puts into a new record

    def describe(self) -> dict[str, Any]:
        """The field as `sobjects/X/describe` shows it."""
        return {
            "name": self.name,
            "label": self.name,
            "type": self.type,
            "length": self.length if self.type not in _WITHOUT_LENGTH else 0,
            "byteLength": self.length * 3 if self.type not in _WITHOUT_LENGTH else 0,
            "precision": self.precision,
            "scale": self.scale,
            "digits": self.precision if self.type == "int" else 0,
            "createable": self.createable,
            "updateable": self.updateable,
            "nillable": self.nillable,
            "defaultedOnCreate": self.defaulted,
            "unique": self.unique,
            "externalId": self.external_id,
            "idLookup": self.id_lookup or self.external_id,
            "caseSensitive": False,
            "calculated": False,
            "restrictedPicklist": self.restricted,
            "picklistValues": [
                {"value": value, "label": value, "active": True, "defaultValue": False, "validFor": None}
                for value in self.picklist
            ],
            "referenceTo": list(self.refers_to),
            "relationshipName": self.name.removesuffix("Id") if self.refers_to else None,
            "compoundFieldName": None,
            "encrypted": False,
            "permissionable": not self.defaulted,
            "filterable": self.filterable,
            "custom": self.name.endswith("__c"),
        }


def is_indexed(one: Field) -> bool:
    """Whether the org finds records by a value of the field without looking at every one."""
    return one.unique or one.external_id or one.name in _INDEXED


@dataclass
class Object:
    """One object: its key prefix (first three characters of its ids), its fields by name, and whether the API writes it.

    `is_deletable`: whether the integration user may delete its records.
    """

    name: str
    prefix: str
    fields: dict[str, Field] = field(default_factory=dict)
    is_writable: bool = True
    is_deletable: bool = True
    _blank: dict[str, Any] = field(default_factory=dict, repr=False)
    _indexed: list[Field] = field(default_factory=list, repr=False)

    def find(self, name: str) -> Field | None:
        """The field of a name in any case, as the API takes it."""
        found = self.fields.get(name)
        if found is None:
            folded = name.casefold()
            found = next((one for key, one in self.fields.items() if key.casefold() == folded), None)
        return found

    def blank(self) -> dict[str, Any]:
        """A record before anything is written into it: checkboxes off, the defaults of picklists, else null."""
        if len(self._blank) != len(self.fields):
            self._look_again()
        return self._blank.copy()

    def indexed(self) -> list[Field]:
        """The fields with an index."""
        if len(self._blank) != len(self.fields):
            self._look_again()
        return self._indexed

    def _look_again(self) -> None:
        self._blank = {one.name: False if one.type == "boolean" else one.default for one in self.fields.values()}
        self._indexed = [one for one in self.fields.values() if is_indexed(one)]

    def add(self, one: Field) -> None:
        """An admin adds a field, or replaces the one of that name."""
        self.fields[one.name] = one
        self._look_again()

    def change(self, name: str, *, picklist: tuple[str, ...], default: Any) -> None:
        """An admin changes what a picklist offers and what new records get; a field that the user may not see stays unknown."""
        if name in self.fields:
            self.fields[name].picklist, self.fields[name].default = picklist, default
            self._blank = {}

    def describe(self, *, hidden: frozenset[str] = frozenset(), record_types: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
        """The object as `sobjects/X/describe` shows it.

        Args:
            hidden: Fields that are missing (field-level security).
            record_types: Rows of RecordType beside the master one, which every object has; `IsAvailable` and `IsDefault` say
                what the user who asks may do with them.
        """
        return {
            "name": self.name,
            "label": self.name,
            "keyPrefix": self.prefix,
            "createable": self.is_writable,
            "updateable": self.is_writable,
            "deletable": self.is_writable and self.is_deletable,
            "mergeable": self.name in ("Account", "Contact", "Lead"),
            "undeletable": self.is_writable,
            "replicateable": True,
            "queryable": True,
            "custom": False,
            "fields": [one.describe() for one in self.fields.values() if one.name not in hidden],
            "recordTypeInfos": [
                *(_record_type(one) for one in record_types),
                _record_type(_MASTER | {"IsDefault": not any(one.get("IsDefault") for one in record_types)}),
            ],
            "childRelationships": [],
        }


def _record_type(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "recordTypeId": one["Id"],
        "developerName": one["DeveloperName"],
        "name": one["Name"],
        "active": one["IsActive"],
        "available": bool(one["IsActive"] and one.get("IsAvailable", True)),
        "defaultRecordTypeMapping": bool(one.get("IsDefault")),
        "master": one["Id"] == MASTER_RECORD_TYPE,
    }
