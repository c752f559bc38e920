"""The sandbox: one model of a Salesforce org and of the vendors, in process (`adapter`) or over HTTP (`server`). No second fake.

Stands beside the house: imports nothing of syncd above the ground.
"""

from syncd.sandbox.faults import Fault as Fault
from syncd.sandbox.faults import Kind as Kind
from syncd.sandbox.mailchimp import MAILCHIMP_KEY as MAILCHIMP_KEY
from syncd.sandbox.mailchimp import SandboxMailchimp as SandboxMailchimp
from syncd.sandbox.org import CONSUMER_KEY as CONSUMER_KEY
from syncd.sandbox.org import CONSUMER_SECRET as CONSUMER_SECRET
from syncd.sandbox.org import SandboxOrg as SandboxOrg
from syncd.sandbox.people import Person as Person
from syncd.sandbox.population import AUDIENCE as AUDIENCE
from syncd.sandbox.population import populate as populate
from syncd.sandbox.population import populate_mailchimp as populate_mailchimp
from syncd.sandbox.schema import Field as Field
from syncd.sandbox.server import MailchimpServer as MailchimpServer
from syncd.sandbox.server import SandboxServer as SandboxServer
from syncd.sandbox.server import VendorServer as VendorServer
from syncd.sandbox.vendor import Vendor as Vendor
