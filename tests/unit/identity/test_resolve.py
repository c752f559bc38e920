"""Who is this? One rule per test; docs/explanation/identity.md tells them in prose."""

from __future__ import annotations

from syncd.identity import Facts, Resolution, lead_keys, resolve
from syncd.model import Candidate, FieldValue, Lead, PersonState, RecordRef

SECRET = b"a key for tests"


def lead(email: str = "", first: str = "", last: str = "", phone: str = "") -> Lead:
    """A lead that states what is given."""
    given = {"Email": email, "FirstName": first, "LastName": last, "Phone": phone}
    return Lead({name: FieldValue(value) for name, value in given.items() if value})


def ask(one: Lead, facts: Facts | None = None, key: str = "1") -> Resolution:
    """Resolve one record."""
    ref = RecordRef("booth", "rows", key)
    return resolve(ref, one, lead_keys(ref, one), facts or Facts({}, {}), SECRET)


def org(*candidates: Candidate, key: tuple[str, str]) -> Facts:
    """The org knows these under a key."""
    return Facts({}, {key: candidates})


ADA = lead("ada@example.com", "Ada", "Lovelace", "+4930901820")
MAIL = ("email", "ada@example.com")
PHONE = ("phone", "+4930901820")


def test_nobody_known_is_somebody_new_with_an_id_for_life() -> None:
    first, again = ask(ADA), ask(ADA)
    assert first.is_new
    assert first.person_id == again.person_id
    assert len(first.person_id) == 32
    assert MAIL in first.claims
    assert ask(ADA, key="2").person_id != first.person_id


def test_the_records_own_claim_wins_over_a_changed_name_and_mailbox() -> None:
    ref = RecordRef("booth", "rows", "1")
    changed = lead("new@example.com", "Augusta", "King")
    facts = Facts({lead_keys(ref, changed).claims[0]: "p1"}, {})
    found = ask(changed, facts)
    assert (found.person_id, found.is_new, found.review) == ("p1", False, None)
    assert ("email", "new@example.com") in found.claims


def test_a_known_record_that_takes_somebody_elses_mailbox_is_asked_about() -> None:
    ref = RecordRef("booth", "rows", "1")
    facts = Facts({lead_keys(ref, ADA).claims[0]: "p1", MAIL: "p2"}, {})
    found = ask(ADA, facts)
    assert found.person_id == "p1"
    assert found.review is not None
    assert found.review.kind == "clashing_claims"
    assert MAIL not in found.claims


def test_a_mailbox_is_a_person_when_the_names_agree() -> None:
    facts = Facts({MAIL: "p1"}, {}, {"p1": Candidate("person", "p1", "p1", "", "ADA", "LOVELACE")})
    assert ask(ADA, facts).person_id == "p1"
    assert ask(lead("ADA@Example.com"), facts).person_id == "p1"


def test_two_names_on_one_mailbox_wait_for_a_person_and_take_no_claim() -> None:
    facts = Facts({MAIL: "p1"}, {}, {"p1": Candidate("person", "p1", "p1", "", "William", "King")})
    found = ask(ADA, facts)
    assert (found.state, found.is_new) == (PersonState.REVIEW, True)
    assert found.review is not None
    assert found.review.kind == "clashing_names"
    assert MAIL not in found.claims


def test_a_role_mailbox_is_no_claim() -> None:
    keys = lead_keys(RecordRef("s", "r", "1"), lead("info@example.com", "Ada", "Lovelace"))
    assert ("email", "info@example.com") not in keys.claims
    assert ("shared_email", "info@example.com") in keys.evidence


def test_defaults_are_no_evidence() -> None:
    given = Lead({"Email": FieldValue("ada@example.com", is_default=True), "Phone": FieldValue("+4930901820", is_default=True)})
    keys = lead_keys(RecordRef("s", "r", "1"), given)
    assert [key[0] for key in keys.claims] == ["record"]
    assert keys.evidence == ()


def test_one_record_of_the_org_is_linked() -> None:
    found = ask(ADA, org(Candidate("Lead", "00Q1", first_name="Ada", last_name="Lovelace", email="ada@example.com"), key=MAIL))
    assert found.org_links == (("Lead", "00Q1"),)


def test_the_external_id_names_the_person_of_a_lost_store() -> None:
    found = ask(ADA, org(Candidate("Lead", "00Q1", person_key="f" * 32, last_name="Lovelace"), key=MAIL))
    assert found.person_id == "f" * 32


def test_several_records_of_the_org_are_asked_about_in_a_fixed_order() -> None:
    two = (Candidate("Lead", "00Q2", last_name="Lovelace"), Candidate("Contact", "0031", last_name="Lovelace"))
    wishes = [ask(ADA, org(*order, key=MAIL)).review for order in (two, two[::-1])]
    assert wishes[0] == wishes[1]
    assert wishes[0] is not None
    assert [one.subject_id for one in wishes[0].candidates] == ["0031", "00Q2"]


def test_a_converted_lead_and_its_contact_are_one() -> None:
    pair = (
        Candidate("Lead", "00Q1", last_name="Lovelace", contact_id="0031"),
        Candidate("Contact", "0031", last_name="Lovelace"),
    )
    found = ask(ADA, org(*pair, key=MAIL))
    assert found.review is None
    assert set(found.org_links) == {("Lead", "00Q1"), ("Contact", "0031")}


def person(first: str, last: str, email: str = "") -> Candidate:
    """Somebody known."""
    return Candidate("person", f"p-{first}-{last}", f"p-{first}-{last}", "", first, last, email)


def test_a_phone_counts_beside_the_same_full_name() -> None:
    one = lead("", "Ada", "Lovelace", "+4930901820")
    assert ask(one, org(person("Ada", "Lovelace"), key=PHONE)).person_id == "p-Ada-Lovelace"


def test_colleagues_and_families_at_one_phone_are_never_merged() -> None:
    one = lead("", "Ada", "Lovelace", "+4930901820")
    for other in (person("Grace", "Hopper"), person("Ralph", "Lovelace")):
        found = ask(one, org(other, key=PHONE))
        assert (found.is_new, found.review) == (True, None)


def test_a_phone_with_a_missing_first_name_or_another_mailbox_is_asked_about() -> None:
    for one, other in (
        (lead("", "", "Lovelace", "+4930901820"), person("Ada", "Lovelace")),
        (ADA, person("Ada", "Lovelace", "other@example.com")),
    ):
        found = ask(one, org(other, key=PHONE))
        assert found.review is not None
        assert found.review.kind == "weak_match"


def test_a_key_that_a_crowd_holds_says_nothing() -> None:
    crowd = tuple(Candidate("person", f"p{n}", f"p{n}", "", "Ada", "Lovelace") for n in range(60))
    assert ask(lead("", "Ada", "Lovelace", "+4930901820"), org(*crowd, key=PHONE)).is_new


def test_records_of_one_batch_see_each_other() -> None:
    facts = Facts({}, {})
    first = ask(ADA, facts)
    facts.learn(ADA, first)
    assert ask(lead("ADA@example.com", "Ada", "Lovelace"), facts, key="2").person_id == first.person_id
    assert ask(lead("", "Ada", "Lovelace", "+4930901820"), facts, key="3").person_id == first.person_id
