"""Countries and states by whatever name people type. Pure; the table is built once from pycountry, plus an alias list."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import pycountry

from syncd.normalise.remembered import remembered
from syncd.normalise.text import one_line

_ALIASES = {
    "US": "usa u.s. u.s.a. u.s america united states of america the united states estados unidos etats-unis vereinigte staaten",
    "GB": "uk u.k. great britain britain england scotland wales northern ireland grossbritannien vereinigtes königreich royaume-uni",
    "DE": "deutschland germany (west) allemagne alemania germania niemcy tyskland duitsland brd",
    "AT": "österreich oesterreich autriche",
    "CH": "schweiz suisse svizzera svizra",
    "ES": "españa espana spanien espagne spagna",
    "FR": "frankreich francia",
    "IT": "italia italien italie",
    "PL": "polska polen pologne",
    "SE": "sverige schweden suède",
    "NO": "norge norwegen norvège",
    "DK": "danmark dänemark danemark",
    "FI": "suomi finnland",
    "NL": "holland nederland niederlande pays-bas the netherlands",
    "BE": "belgië belgique belgien",
    "PT": "portugália",
    "CZ": "czech republic česko česká republika tschechien",
    "HU": "magyarország ungarn",
    "GR": "hellas griechenland ελλάδα",
    "TR": "turkey türkei türkiye turquie",
    "RU": "russia россия russland",
    "UA": "україна",
    "RO": "românia rumänien",
    "BR": "brasil brasilien",
    "MX": "méxico mexiko",
    "JP": "日本 nippon japon",
    "CN": "中国 p.r. china prc china mainland",
    "KR": "south korea korea republic of korea 대한민국 한국",
    "KP": "north korea",
    "VN": "vietnam viet nam việt nam",
    "ID": "republik indonesia",
    "TW": "taiwan 台灣",
    "HK": "hong kong",
    "LA": "laos",
    "IR": "iran",
    "SY": "syria",
    "MD": "moldova",
    "BO": "bolivia",
    "VE": "venezuela",
    "TZ": "tanzania",
    "BN": "brunei",
    "CI": "ivory coast côte d'ivoire",
    "AE": "uae u.a.e. emirates dubai",
    "SA": "ksa",
    "IN": "bharat भारत",
    "EG": "مصر",
    "IL": "ישראל",
    "TH": "ประเทศไทย",
    "MK": "macedonia",
    "PS": "palestine",
}
_PHRASES = {
    "the united states": "US",
    "united states of america": "US",
    "estados unidos": "US",
    "vereinigte staaten": "US",
    "great britain": "GB",
    "northern ireland": "GB",
    "vereinigtes königreich": "GB",
    "czech republic": "CZ",
    "česká republika": "CZ",
    "the netherlands": "NL",
    "pays-bas": "NL",
    "south korea": "KR",
    "republic of korea": "KR",
    "north korea": "KP",
    "hong kong": "HK",
    "ivory coast": "CI",
    "viet nam": "VN",
    "việt nam": "VN",
    "p.r. china": "CN",
    "republik indonesia": "ID",
    "u.s.a": "US",
    "u.a.e": "AE",
    "u.k": "GB",
}
_SINGLE_ALIASES = {word for words in _ALIASES.values() for word in words.split()}
_NAMES = {
    "KR": "South Korea",
    "KP": "North Korea",
    "VN": "Vietnam",
    "TW": "Taiwan",
    "RU": "Russia",
    "IR": "Iran",
    "SY": "Syria",
    "TR": "Turkey",
    "CZ": "Czechia",
    "BO": "Bolivia",
    "VE": "Venezuela",
    "TZ": "Tanzania",
    "MD": "Moldova",
    "LA": "Laos",
}
_STOP = frozenset({"the", "of", "republic", "people's", "states", "united", "(west)", "america", "american"})


def _fold(text: str) -> str:
    bare = "".join(one for one in unicodedata.normalize("NFKD", one_line(text).casefold()) if not unicodedata.combining(one))
    return bare.strip(" .")


@lru_cache(maxsize=1)
def _table() -> dict[str, str]:
    table: dict[str, str] = {}
    for country in pycountry.countries:
        for name in ("alpha_2", "alpha_3", "name", "official_name", "common_name"):
            value = getattr(country, name, None)
            if value:
                table.setdefault(_fold(value), country.alpha_2)
        table.setdefault(_fold(country.name.partition(",")[0]), country.alpha_2)
    for code, words in _ALIASES.items():
        table.update({_fold(word): code for word in words.split() if word not in _STOP})
    table.update({_fold(phrase): code for phrase, code in _PHRASES.items()})
    table.update({_fold(name): code for code, name in _NAMES.items()})
    return table


@remembered
def country_code(text: str) -> str:
    """ISO 3166-1 alpha-2 of a country by code, English or native name; `""` if nobody would understand it."""
    return _table().get(_fold(text), "")


@lru_cache(maxsize=1_000)
def country_name(code: str) -> str:
    """The English name that Salesforce's country picklist uses."""
    if code in _NAMES:
        return _NAMES[code]
    found = pycountry.countries.get(alpha_2=code)
    return str(getattr(found, "common_name", None) or found.name) if found else ""


def country_code_3(code: str) -> str:
    """ISO 3166-1 alpha-3."""
    found = pycountry.countries.get(alpha_2=code)
    return str(found.alpha_3) if found else ""


@remembered
def state_name(text: str, country: str) -> str:
    """The name of a state or province by code (`CA`, `US-CA`) or name; the cleaned text where the list does not know it."""
    value = one_line(text)
    if not country:
        return value
    wanted = _fold(value)
    parts = pycountry.subdivisions.get(country_code=country) or ()  # type: ignore[no-untyped-call]
    for part in parts:
        code = part.code.casefold()
        if wanted in (code, code.partition("-")[2], _fold(part.name)):
            return str(part.name)
    return value
