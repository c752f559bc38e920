"""What each transform makes of what people type."""

from __future__ import annotations

import pytest

from syncd.normalise import TRANSFORMS, Args, Bad

US, DE = Args(region="US"), Args(locale="de")
SCANNER = Args(formats=("%d/%m/%Y %H:%M", "iso"), zone="Europe/Berlin")

CASES = [
    ("email", " RINA@ACME.EXAMPLE.COM ", Args(), "rina@acme.example.com"),
    ("email", "budi at example.org", Args(), Bad("invalid_email")),
    ("email", "asdf@example.com", Args(), Bad("junk_email")),
    ("email", "=cmd@example.com", Args(), Bad("formula")),
    ("phone", "0046 (0)8 858 91 73", Args(), "+4688589173"),
    ("phone", "(415) 555-0157", US, "+14155550157"),
    ("phone", "+49 30 603160 ext. 76", Args(), "+4930603160 ext. 76"),
    ("phone", "1.2.3", US, Bad("invalid_phone")),
    ("phone", "call my office", US, Bad("invalid_phone")),
    ("phone", "0000000000", US, Bad("invalid_phone")),
    ("phone", "4.9E+11", US, Bad("mangled_number")),
    ("name", "O'BRIEN", Args(), "O'Brien"),
    ("name", "mcdonald", Args(), "McDonald"),
    ("name", "van der Berg", Args(), "van der Berg"),
    ("name", "n/a", Args(), None),
    ("country", "U.S.A.", Args(), "United States"),
    ("country", "España", Args(style="iso2"), "ES"),
    ("country", "Mars", Args(), Bad("unknown_country")),
    ("number", "€ 10.000,00", DE, 10_000),
    ("number", "1,234.5", Args(), 1234.5),
    ("number", "1.23", DE, Bad("invalid_number")),
    ("number", "> 50k", Args(), Bad("invalid_number")),
    ("boolean", "x", Args(), True),
    ("boolean", "nein", Args(), False),
    ("boolean", "?", Args(), None),
    ("boolean", "perhaps", Args(), Bad("invalid_boolean")),
    ("instant", "14/11/2026 09:45", SCANNER, "2026-11-14T08:45:00Z"),
    ("instant", "2026-11-14T16:09:00+01:00", SCANNER, "2026-11-14T15:09:00Z"),
    ("instant", "11/14/2026 09:45", SCANNER, Bad("invalid_instant")),
    ("date", "Nov 15 2026", Args(formats=("%b %d %Y",)), "2026-11-15"),
    ("company", "n/a", Args(), None),
    ("text", "<p>a &amp; b</p><script>x</script>", Args(), "a & b"),
    ("url", "Example.com/A", Args(), "https://example.com/A"),
    ("domain", "http://www.shop.example.co.uk/x", Args(), "example.co.uk"),
    ("state", "CA", US, "California"),
    ("split", "a, b", Args(separator=",", index=1), "b"),
    ("truncate", "abcdef", Args(length=3), "abc"),
]


@pytest.mark.parametrize(("name", "given", "args", "expected"), CASES)
def test_a_value_becomes(name: str, given: str, args: Args, expected: object) -> None:
    assert TRANSFORMS[name](given, args) == expected
