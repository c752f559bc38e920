"""Who a lead is: keys, evidence, and the decision. Pure; imported by run and app.

Exact evidence only: strong keys are claims (one person each); phones and shared mailboxes count only beside an agreeing name.
Several matches never pick one silently. The rules are explained in docs/explanation/identity.md.
"""

from syncd.identity.keys import ACCOUNT_DOMAIN as ACCOUNT_DOMAIN
from syncd.identity.keys import ACCOUNT_NAME as ACCOUNT_NAME
from syncd.identity.keys import CONTACT_DOMAIN as CONTACT_DOMAIN
from syncd.identity.keys import RECORD_CLAIM as RECORD_CLAIM
from syncd.identity.keys import LeadKeys as LeadKeys
from syncd.identity.keys import account_keys as account_keys
from syncd.identity.keys import domain_keys as domain_keys
from syncd.identity.keys import lead_keys as lead_keys
from syncd.identity.keys import org_keys as org_keys
from syncd.identity.keys import person_id_for as person_id_for
from syncd.identity.keys import record_claim as record_claim
from syncd.identity.keys import tombstone_digest as tombstone_digest
from syncd.identity.match import Placement as Placement
from syncd.identity.match import ReviewWish as ReviewWish
from syncd.identity.match import clashes as clashes
from syncd.identity.match import names_of as names_of
from syncd.identity.match import place as place
from syncd.identity.resolve import Facts as Facts
from syncd.identity.resolve import Resolution as Resolution
from syncd.identity.resolve import resolve as resolve
