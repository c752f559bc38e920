"""The one place for HTTP: sessions with time-outs, what a status means, how long to wait, one retry policy, calls to a source.

Adapters that speak HTTP get their sessions here and never import `requests` themselves: salesforce/ takes a session, a connector
is lent a `Caller` (as `syncd.connector.Http`). Nothing here knows a vendor. Retries of the transport are off: only the caller
knows what is safe to repeat.
"""

from syncd.http.caller import Answer as Answer
from syncd.http.caller import Caller as Caller
from syncd.http.caller import Reply as Reply
from syncd.http.limiter import Limiter as Limiter
from syncd.http.retry import retrying as retrying
from syncd.http.session import CONNECT_TIMEOUT_SECONDS as CONNECT_TIMEOUT_SECONDS
from syncd.http.session import READ_TIMEOUT_SECONDS as READ_TIMEOUT_SECONDS
from syncd.http.session import Response as Response
from syncd.http.session import Session as Session
from syncd.http.session import TransportError as TransportError
from syncd.http.session import make_session as make_session
from syncd.http.status import MAX_RETRY_AFTER_SECONDS as MAX_RETRY_AFTER_SECONDS
from syncd.http.status import STATUS_ERRORS as STATUS_ERRORS
from syncd.http.status import error_class as error_class
from syncd.http.status import http_date as http_date
from syncd.http.status import retry_after_seconds as retry_after_seconds
from syncd.http.tokens import TokenCache as TokenCache
from syncd.http.transport import is_untrusted_certificate as is_untrusted_certificate
from syncd.http.transport import nothing_sent as nothing_sent
