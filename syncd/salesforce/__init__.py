"""Salesforce, wrapped once: the `Org` of syncd.ports over simple-salesforce (DESIGN 6).

`SalesforceOrg` is what `wiring` builds; `live_findings` is `syncd check --live`. Only `wiring` and the faces' check import
this package. The slow import of simple-salesforce waits for the first call.
"""

from syncd.salesforce.budget import SLOW_FROM as SLOW_FROM
from syncd.salesforce.check import FieldUse as FieldUse
from syncd.salesforce.check import live_findings as live_findings
from syncd.salesforce.check_conversion import DealUse as DealUse
from syncd.salesforce.check_policy import PolicyUse as PolicyUse
from syncd.salesforce.check_policy import policy_findings as policy_findings
from syncd.salesforce.client import SalesforceOrg as SalesforceOrg
from syncd.salesforce.finding import Finding as Finding
from syncd.salesforce.finding import Severity as Severity
from syncd.salesforce.settings import ClientCredentials as ClientCredentials
from syncd.salesforce.settings import JwtBearer as JwtBearer
from syncd.salesforce.settings import OrgSettings as OrgSettings
