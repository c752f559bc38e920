"""What is known of the end of credentials and certificates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from syncd.app.endings import endings
from syncd.config import load_settings

CONFIG = """\
version: 1
allow_literal_secrets: true
salesforce:
  login_url: https://acme.my.salesforce.com
  auth: {type: client_credentials, consumer_key: k, consumer_secret: s}
  ca_file: ca.pem
sources:
  booth: {type: csv_drop, folder: drop, mapping: csv_drop, expires_on: 2027-03-01}
  other: {type: csv_drop, folder: other, mapping: csv_drop, ca_file: missing.pem}
"""
NOW = datetime(2026, 11, 25, tzinfo=UTC)


def test_the_first_end_of_each_counts(tmp_path: Path) -> None:
    (tmp_path / "syncd.yaml").write_text(CONFIG, encoding="utf-8")
    first, second = trustme.CA(), trustme.CA()
    pem = first.cert_pem.bytes() + second.cert_pem.bytes()
    (tmp_path / "ca.pem").write_bytes(pem)
    settings = load_settings(tmp_path / "syncd.yaml", {}, ["csv_drop"])
    found = endings(settings, {"booth": NOW + timedelta(days=365), "other": None})
    assert found["booth"] == ("credentials", datetime(2027, 3, 1, tzinfo=UTC))
    assert found["salesforce"].what == "certificate"
    assert found["salesforce"].at > NOW
    assert "other" not in found, "nothing is known of it"
    sooner = endings(settings, {"booth": NOW, "other": NOW})
    assert sooner["booth"].at == sooner["other"].at == NOW


def test_a_file_that_is_no_certificate_is_not_its_business(tmp_path: Path) -> None:
    (tmp_path / "syncd.yaml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "ca.pem").write_text("not a certificate", encoding="utf-8")
    assert "salesforce" not in endings(load_settings(tmp_path / "syncd.yaml", {}, ["csv_drop"]), {})
