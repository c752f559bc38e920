"""What an org does when a record is saved: rights, types, rules, duplicates, assignment, triggers, in that order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from syncd.sandbox import derived
from syncd.sandbox.ids import canonical
from syncd.sandbox.schema import Field, Object
from syncd.sandbox.table import Row
from syncd.sandbox.values import Refusal, check_shape, stored

if TYPE_CHECKING:
    from syncd.sandbox.org import SandboxOrg

_CONVERTED = "CANNOT_UPDATE_CONVERTED_LEAD"


class Duties:
    """What the fields of an object ask of every record of it, looked up once for a call that saves many.

    Attributes:
        required: Names of the fields that may not be empty. unique: Those that hold a value only once.
    """

    def __init__(self, described: Object) -> None:
        """As described now."""
        fields = described.fields.values()
        self.required = [one.name for one in fields if not one.nillable and one.createable]
        self.unique = [one.name for one in fields if one.unique]


def save(
    org: SandboxOrg,
    name: str,
    sf_id: str | None,
    values: dict[str, Any],
    *,
    user: str,
    headers: dict[str, str],
    is_checked: bool,
    duties: Duties | None = None,
) -> str:
    """Create (`sf_id` None) or update one record; gives its id. `is_checked`: names and types were looked at for the whole call.

    `duties` are those of the object as it is described now; without them they are looked up.

    Raises:
        CallRefusal: The whole call is refused.
        Refusal: This record is refused; nothing was written.
    """
    described = org.objects[name]
    if not described.is_writable:
        raise Refusal("INVALID_TYPE_FOR_OPERATION", f"entity type {name} does not support create or update")
    if not is_checked:
        check_shape(described, values, frozenset(org.hidden))
    old = _old(org, name, sf_id)
    new = dict(old) if old else described.blank()
    given = _read(org, described, values, is_new=old is None, user=user)
    new |= given
    if "OwnerId" in described.fields:
        new["OwnerId"] = new.get("OwnerId") or user
    derived.complete(org, name, new, old, given)
    _check_fields(org, name, duties or Duties(described), new, sf_id)
    for rule in (*org.rules, *org.rules_of.get(name, ())):
        message = rule(org, new)
        if message:
            raise Refusal("FIELD_CUSTOM_VALIDATION_EXCEPTION", message)
    if old is None:
        _check_duplicates(org, name, new, headers)
    sf_id = sf_id or org.new_id(name)
    if name == "Lead" and headers.get("Sforce-Auto-Assign", "TRUE").upper() != "FALSE":
        _assign(org, sf_id, new)
    for trigger in org.triggers:
        new.update(trigger(org, {**new, "Id": sf_id}))
    org.put(name, sf_id, new, user=user, action="update" if old else "create", headers=headers)
    derived.after_save(org, name, sf_id, new, is_new=old is None, user=user)
    return sf_id


def _old(org: SandboxOrg, name: str, sf_id: str | None) -> Row | None:
    if sf_id is None:
        return None
    old = org.table(name).rows.get(sf_id)
    if old is None:
        raise Refusal("NOT_FOUND", "The requested resource does not exist")
    if old["IsDeleted"]:
        raise Refusal("ENTITY_IS_DELETED", "entity is deleted")
    if old.get("IsConverted") and not org.may_edit_converted:
        raise Refusal(_CONVERTED, "cannot reference converted lead")
    return old


def _read(org: SandboxOrg, described: Object, values: dict[str, Any], *, is_new: bool, user: str) -> Row:
    """The values as they are kept, by the names of their fields; without those that a new record has by default."""
    given = {}
    for key, value in values.items():
        one = described.fields.get(key) or described.find(key)
        assert one is not None  # noqa: S101 - check_shape refused unknown names
        if not (one.createable if is_new else one.updateable):
            message = f"Unable to create/update fields: {one.name}. Please check the security settings of this field."
            raise Refusal("INVALID_FIELD_FOR_INSERT_UPDATE", message, [one.name])
        kept = stored(one, value)
        if one.type == "reference" and kept is not None:
            _check_reference(org, described.name, one, kept, user)
        if kept is None and one.defaulted and one.type != "boolean" and is_new:
            continue
        given[one.name] = kept
    return given


def _check_reference(org: SandboxOrg, name: str, one: Field, sf_id: str, user: str) -> None:
    """What a reference points to must be there, of the right kind, and an owner active."""
    wanted = one.refers_to
    if not wanted:
        return
    found = org.find(sf_id)
    # Records of people are owned by queues only where the object allows it: leads, not contacts.
    if name == "Contact" and one.name == "OwnerId":
        wanted = ("User",)
    if found is None or found[0] not in wanted or found[1]["IsDeleted"] or not _is_offered(found, name):
        raise Refusal("INVALID_CROSS_REFERENCE_KEY", f"{one.name}: invalid cross reference id", [one.name])
    if sf_id in org.closed_record_types and user == org.integration_user_id:
        # Source: SFDO-Community, GrassrootsMobileSurveyApp, wiki "Survey Record Types" (of creates; of updates unverified).
        message = f"{one.name}: this ID value isn't valid for the user: {sf_id}"
        raise Refusal("INVALID_CROSS_REFERENCE_KEY", message, [one.name])
    if found[0] == "Group" and one.name == "OwnerId" and not org.takes(sf_id, name):
        # The code is unverified.
        raise Refusal("INVALID_OPERATION", "Queue not associated with this SObject type", [one.name])
    if one.name == "WhoId" and found[1].get("IsConverted"):
        # Activities of a converted lead are its contact's (unverified, as is the code).
        raise Refusal(_CONVERTED, "cannot reference converted lead", [one.name])
    if one.name == "OwnerId" and found[0] == "User" and not found[1]["IsActive"]:
        message = f"operation performed with inactive user [{sf_id}] as owner of {name.lower()}"
        raise Refusal("INACTIVE_OWNER_OR_USER", message, [one.name])


def _is_offered(found: tuple[str, Row], name: str) -> bool:
    """Whether a record type is one of the object and active; everything else is."""
    return found[0] != "RecordType" or (found[1]["SobjectType"] == name and bool(found[1]["IsActive"]))


def _check_fields(org: SandboxOrg, name: str, duties: Duties, row: Row, sf_id: str | None) -> None:
    for unique in duties.unique:
        value = row.get(unique)
        holder = None if value is None else org.table(name).holder(unique, value)
        if holder is not None and holder != sf_id:
            message = f"duplicate value found: {unique} duplicates value on record with id: {holder}"
            raise Refusal("DUPLICATE_VALUE", message, [unique])
    missing = [required for required in duties.required if row.get(required) is None]
    if missing:
        raise Refusal("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", missing)


def _check_duplicates(org: SandboxOrg, name: str, row: Row, headers: dict[str, str]) -> None:
    """The admins' duplicate rule; the header lets a save through unless the rule blocks (salesforce.md 3 and 8.1)."""
    rule = org.duplicate_rule if name == "Lead" else org.duplicate_rules.get(name)
    if rule is None or org.duplicate_action == "allow":
        return
    matches = rule(org, row)
    may_save = org.duplicate_action == "alert"
    if not matches or (may_save and "allowsave=true" in headers.get("Sforce-Duplicate-Rule-Header", "").replace(" ", "").lower()):
        return
    by_object: dict[str, list[str]] = {}
    for one in matches:
        found = org.find(one)
        by_object.setdefault(found[0] if found else "Lead", []).append(canonical(one) or one)
    results = [
        {
            "entityType": name,
            "matchEngine": "FuzzyMatchEngine",
            "rule": f"Standard_{name}_Match_Rule",
            "size": len(ids),
            "success": True,
            "errors": [],
            "matchRecords": [
                {
                    "matchConfidence": 100.0,
                    "fieldDiffs": [],
                    "additionalInformation": [],
                    "record": {"attributes": {"type": name}, "Id": sf_id},
                }
                for sf_id in ids
            ],
        }
        for name, ids in by_object.items()
    ]
    told = {
        "allowSave": may_save,
        "duplicateRule": f"Standard_{name}_Duplicate_Rule",
        "duplicateRuleEntityType": name,
        "errorMessage": "Use one of these records?",
        "matchResults": results,
    }
    # The key is misspelt in the real API too.
    raise Refusal("DUPLICATES_DETECTED", "Use one of these records?", [], {"duplicateResut": told})


def _assign(org: SandboxOrg, sf_id: str, row: Row) -> None:
    """The assignment rule, on create and update alike; it wins over an owner in the body (salesforce.md 9.5)."""
    org.happened(org.assignment_runs, sf_id)
    owner = org.queue_id if org.assignment_rule is None else org.assignment_rule(org, row)
    if owner is not None:
        org.happened(org.side_effects, f"assignment mail {sf_id}")
        row["OwnerId"] = owner
