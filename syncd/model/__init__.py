"""The nouns of the house: plain frozen values, no behaviour beyond reading themselves.

Any floor may import them. JSON scalars only inside value documents (text, int, float, bool, None):
instants are ISO 8601 text in UTC ending in `Z`, days are `YYYY-MM-DD`.
"""

from syncd.model.action import ANSWER_LOST as ANSWER_LOST
from syncd.model.action import NOT_CARRIED_OUT as NOT_CARRIED_OUT
from syncd.model.action import RETRACTED as RETRACTED
from syncd.model.action import ActionOutcome as ActionOutcome
from syncd.model.action import ActionState as ActionState
from syncd.model.action import Conversion as Conversion
from syncd.model.action import ConversionOutcome as ConversionOutcome
from syncd.model.action import ConversionTerms as ConversionTerms
from syncd.model.action import Deal as Deal
from syncd.model.action import DealState as DealState
from syncd.model.action import SourceAction as SourceAction
from syncd.model.action import SourceActionKind as SourceActionKind
from syncd.model.lead import ADDRESS_GROUP as ADDRESS_GROUP
from syncd.model.lead import CONSENT_FIELDS as CONSENT_FIELDS
from syncd.model.lead import GROUPS as GROUPS
from syncd.model.lead import NAME_GROUP as NAME_GROUP
from syncd.model.lead import FieldValue as FieldValue
from syncd.model.lead import Lead as Lead
from syncd.model.lead import LeadTask as LeadTask
from syncd.model.lead import Overwrite as Overwrite
from syncd.model.lead import Problem as Problem
from syncd.model.lead import Touch as Touch
from syncd.model.lead import Value as Value
from syncd.model.operation import CREATING as CREATING
from syncd.model.operation import DELETING as DELETING
from syncd.model.operation import OPEN_STATES as OPEN_STATES
from syncd.model.operation import ORG_KINDS as ORG_KINDS
from syncd.model.operation import Assignment as Assignment
from syncd.model.operation import Operation as Operation
from syncd.model.operation import OperationKind as OperationKind
from syncd.model.operation import OperationState as OperationState
from syncd.model.operation import Provenance as Provenance
from syncd.model.org import FieldSchema as FieldSchema
from syncd.model.org import ObjectSchema as ObjectSchema
from syncd.model.org import OrgFault as OrgFault
from syncd.model.org import OrgIdentity as OrgIdentity
from syncd.model.org import OrgRecord as OrgRecord
from syncd.model.org import OrgRow as OrgRow
from syncd.model.org import OrgSchema as OrgSchema
from syncd.model.org import Recovery as Recovery
from syncd.model.org import RowOutcome as RowOutcome
from syncd.model.person import Candidate as Candidate
from syncd.model.person import Hold as Hold
from syncd.model.person import PersonRecord as PersonRecord
from syncd.model.person import PersonState as PersonState
from syncd.model.person import PersonView as PersonView
from syncd.model.record import NOT_FETCHED as NOT_FETCHED
from syncd.model.record import NOT_THERE as NOT_THERE
from syncd.model.record import Delivery as Delivery
from syncd.model.record import Lane as Lane
from syncd.model.record import Page as Page
from syncd.model.record import Record as Record
from syncd.model.record import RecordRef as RecordRef
from syncd.model.record import Reject as Reject
from syncd.model.record import Unwanted as Unwanted
from syncd.model.record import Wanted as Wanted
from syncd.model.run import InboxOutcome as InboxOutcome
from syncd.model.run import RunStatus as RunStatus
from syncd.model.run import SourceCounts as SourceCounts
