"""Units of measurement: what they are called, and how they convert."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

from mmeval.verifiers.vocabulary import words

_LENGTH = {"m": 1.0, "km": 1e3, "dm": 0.1, "cm": 0.01, "mm": 1e-3, "um": 1e-6, "nm": 1e-9, "ft": 0.3048, "inch": 0.0254}
_LENGTH |= {"in": 0.0254, "yd": 0.9144, "mi": 1609.344, "mile": 1609.344, "foot": 0.3048, "yard": 0.9144}
_MASS = {"kg": 1.0, "g": 1e-3, "mg": 1e-6, "t": 1e3, "lb": 0.45359237, "oz": 0.028349523125, "gram": 1e-3}
_TIME = {"s": 1.0, "sec": 1.0, "ms": 1e-3, "min": 60.0, "h": 3600.0, "hr": 3600.0, "day": 86400.0, "week": 604800.0}
_TIME |= {"second": 1.0, "minute": 60.0, "hour": 3600.0}
_VOLUME = {"L": 1e-3, "l": 1e-3, "mL": 1e-6, "ml": 1e-6, "cc": 1e-6, "liter": 1e-3, "litre": 1e-3}
_OTHER = words(
    "N kN J kJ MJ W kW MW V kV mV A mA Hz kHz MHz GHz Pa kPa MPa K C F Ω ohm T mol eV keV MeV dB rad cal kcal rpm bar atm"
    " month year yr people person student apple mph kmh kmph km/h deg degree unit units square cubic sq cu acre hectare ha px"
    " dollar dollars cent cents pound pounds euro euros yuan rupee rupees rs Rs USD % percent times"
)
_SPELLED = {
    **{"meter": "m", "metre": "m", "kilometer": "km", "kilometre": "km", "centimeter": "cm", "centimetre": "cm"},
    **{"millimeter": "mm", "millimetre": "mm", "feet": "ft", "inches": "in", "kilogram": "kg", "kilograms": "kg"},
    **{"米": "m", "厘米": "cm", "千米": "km", "公里": "km", "毫米": "mm", "分米": "dm", "秒": "s", "分钟": "min"},
    **{"小时": "h", "克": "g", "千克": "kg", "公斤": "kg", "吨": "t", "升": "L", "毫升": "mL", "天": "day"},
    **{"平方厘米": "cm^2", "平方米": "m^2", "立方厘米": "cm^3", "立方米": "m^3", "度": "degree", "元": "yuan"},
    **{"mL": "mL", "newton": "N", "newtons": "N", "joule": "J", "joules": "J", "watt": "W", "watts": "W"},
}
_FACTORS: Mapping[str, tuple[str, Fraction]] = {
    name: (dimension, Fraction(str(factor)))
    for dimension, table in (("length", _LENGTH), ("mass", _MASS), ("time", _TIME), ("volume", _VOLUME))
    for name, factor in table.items()
}
_PLURAL = re.compile(r"(?<=[a-z]{2})s$")

UNITS = frozenset([*_FACTORS, *_OTHER, *_SPELLED, *(name + "s" for name in _FACTORS if len(name) > 2)])
"""All names that the rules take for units."""

PRODUCTS = frozenset({"mg", "kg", "cm", "km", "mm", "nm", "ms", "mA", "mV", "kV", "MV"})
"""Units that are two names side by side where no number stands before them: the weight mg."""

_POWER_WORDS = {"square": 2, "sq": 2, "squared": 2, "cubic": 3, "cu": 3, "cubed": 3}
_PER = re.compile(r"\s*/\s*|\s+per\s+", re.IGNORECASE)
_SPEEDS: Mapping[str, str] = {"kmh": "km/h", "kmph": "km/h", "mph": "mi/h"}
_ATOM = re.compile(r"(?P<name>[A-Za-z\u4e00-\u9fffΩ]+)(?:\s*\^?\s*\{?\s*(?P<power>[23])\s*\}?)?")


def scale_of(unit: str) -> tuple[str, Fraction] | None:
    """Return (dimension, factor to its base unit) of a unit such as `cm`, `cm^2`, `square metres`, `km/h`; None if unknown."""
    unit = _PER.sub("/", unit.strip())
    unit = _SPEEDS.get(unit, unit)
    if unit.count("/") == 1:
        above, below = (scale_of(part) for part in unit.split("/"))
        if above is None or below is None:
            return None
        return f"{above[0]}/{below[0]}", above[1] / below[1]
    power, names = 1, []
    for found in _ATOM.finditer(unit):
        name = found.group("name")
        if name.lower() in _POWER_WORDS:
            power = _POWER_WORDS[name.lower()]
            continue
        names.append(name)
        power = int(found.group("power") or power)
    if len(names) != 1 or "/" in unit:
        return None
    name = names[0]
    name = _SPELLED.get(name, name)
    if "^" in name:
        name, _, raised = name.partition("^")
        power = int(raised)
    for candidate in (name, name.lower(), _SPELLED.get(_PLURAL.sub("", name.lower()), _PLURAL.sub("", name.lower()))):
        if candidate in _FACTORS:
            dimension, factor = _FACTORS[candidate]
            if dimension == "length" and power == 3:
                return "volume", factor**3
            return (f"{dimension}^{power}" if power > 1 else dimension), factor**power
    return None


def comparable(first: str, second: str) -> Fraction | None:
    """Return the factor that turns a value in `first` into one in `second`; None where they measure different things.

    A unit that is not known, or none at all, goes with every other: 1.
    """
    scales = scale_of(first), scale_of(second)
    if scales[0] is None or scales[1] is None:
        return Fraction(1)
    return scales[0][1] / scales[1][1] if scales[0][0] == scales[1][0] else None
