"""The contract that every connector implements (STYLE 1a), and the session it is given.

A connector turns one system's API into records and cursors. It does not sleep, retry, log, keep state, read the
clock or translate fields; it sees its options, a session and a cursor, nothing else of syncd.
"""

from __future__ import annotations

from syncd.connector.act import ActingConnector as ActingConnector
from syncd.connector.act import OptOutConnector as OptOutConnector
from syncd.connector.act import TellingConnector as TellingConnector
from syncd.connector.http import Answer as Answer
from syncd.connector.http import Auth as Auth
from syncd.connector.http import Http as Http
from syncd.connector.http import Reply as Reply
from syncd.connector.http import Row as Row
from syncd.connector.http import Token as Token
from syncd.connector.http import Tokens as Tokens
from syncd.connector.pull import PullConnector as PullConnector
from syncd.connector.push import FetchingConnector as FetchingConnector
from syncd.connector.push import HttpRequest as HttpRequest
from syncd.connector.push import PushConnector as PushConnector
from syncd.connector.push import Reception as Reception
from syncd.connector.push import Verdict as Verdict
from syncd.connector.session import Health as Health
from syncd.connector.session import Limits as Limits
from syncd.connector.session import Options as Options
from syncd.connector.session import Session as Session
from syncd.connector.session import limits_of as limits_of
from syncd.model import ERASURE_ASKED as ERASURE_ASKED
from syncd.model import NOT_CARRIED_OUT as NOT_CARRIED_OUT
from syncd.model import RETRACTED as RETRACTED
from syncd.model import WITHDRAWN as WITHDRAWN
from syncd.model import ActionOutcome as ActionOutcome
from syncd.model import ActionState as ActionState
from syncd.model import ConversionTerms as ConversionTerms
from syncd.model import Delivery as Delivery
from syncd.model import MailStop as MailStop
from syncd.model import OptOuts as OptOuts
from syncd.model import Page as Page
from syncd.model import Record as Record
from syncd.model import Reject as Reject
from syncd.model import SourceAction as SourceAction
from syncd.model import SourceActionKind as SourceActionKind
from syncd.model import Unwanted as Unwanted
from syncd.model import Wanted as Wanted
from syncd.model.secret import Secret as Secret

Connector = PullConnector | PushConnector
"""What the `connectors` package and the entry points may hold."""
