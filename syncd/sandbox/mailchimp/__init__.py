"""The sandbox's Mailchimp: one model of an account and of the Marketing API v3, in process or over HTTP."""

from syncd.sandbox.mailchimp.account import MAILCHIMP_KEY as MAILCHIMP_KEY
from syncd.sandbox.mailchimp.account import SandboxMailchimp as SandboxMailchimp
