"""What `syncd init` writes: a commented syncd.yaml, the mappings and the policy to edit, and a folder to drop files into."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

SETTINGS = """\
# The configuration of syncd. Check it with "syncd check"; every option is in docs/reference/configuration.md.
version: 1

# State: one SQLite file beside this one, or postgresql://USER@HOST/NAME.
store: {url: "sqlite:///syncd.db"}

salesforce:
  # The My Domain of your org. To try things first: "syncd sandbox" prints what to put here.
  login_url: https://127.0.0.1:8443
  # An External Client App with the client-credentials flow; its Run-As user is syncd's own user in the org.
  auth: {type: client_credentials, consumer_key: {env: SF_KEY}, consumer_secret: {env: SF_SECRET}}
  # One more certificate authority to trust: the sandbox's. Leave it out for a real org.
  ca_file: sandbox/ca.pem
  # A unique external-id text field on Lead (64 characters). Without one (null) syncd updates but never creates.
  external_id_field: Syncd_Id__c
  # Your production org, so that nobody points this at another one by mistake.
  expected_org_id: null

mappings_dir: mappings
policy: mappings/policy.yaml

# A pass that would create more than this, or that would unsubscribe, clear, delete, or change by a changed mapping or policy
# more than this share of people, stops and asks.
guard: {max_creates_per_pass: null, max_changed_share: 0.2}

sources:
  # Every CSV file that is dropped into drop/ is read once, where it lies.
  booth:
    type: csv_drop
    folder: drop/
    mapping: csv_drop
    # How long a file must have been quiet before it counts as complete. Raise it where slow uploads arrive.
    settle_seconds: 2
    # all: import everything. now, or a day: older records come in without assignment rules.
    start_from: all
    # Who gets new leads: rule (the org's assignment rule), {queue: NAME} or {user: NAME}.
    assignment: {owner: rule}

  # Members of Mailchimp audiences; take the "# " away, and see docs/connectors/mailchimp.md.
  # newsletter:
  #   type: mailchimp
  #   api_key: {env: MAILCHIMP_API_KEY}
  #   # Ids of the audiences to read; all of the account without it.
  #   audiences: []
  #   mapping: mailchimp

  # What your site or another program sends to /hooks/site; see docs/connectors/webhook.md.
  # site:
  #   type: webhook
  #   secret: {env: SITE_HOOK_SECRET}
  #   # Let in the forms of your pages, which cannot sign.
  #   forms: {honeypot: website_2, redirect: https://www.acme.com/thank-you}
  #   mapping: webhook
"""

_IGNORE = "syncd.db*\nsandbox/\n"
_DROP = "Drop CSV files here; syncd reads them where they lie and never changes them.\n"


def bundled_mappings() -> Path:
    """The mappings that ship with syncd: inside the installed wheel, or the checkout's own folder."""
    installed = Path(str(files("syncd"))) / "bundled" / "mappings"
    return installed if installed.is_dir() else Path(str(files("syncd"))).parent / "mappings"


def write_template(folder: Path) -> list[Path]:
    """Write a set-up to edit into `folder`; gives what was written. A file that is there already is left as it is."""
    texts = {"syncd.yaml": SETTINGS, ".gitignore": _IGNORE, "drop/README": _DROP}
    home = bundled_mappings()
    for path in sorted(home.rglob("*.yaml")):
        texts[f"mappings/{path.relative_to(home).as_posix()}"] = path.read_text(encoding="utf-8")
    written = []
    for name, text in texts.items():
        target = folder / name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
            written.append(target)
    return written
