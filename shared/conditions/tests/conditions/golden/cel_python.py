"""Has cel-python answer the cases that the ignored test of `cel_python.rs` writes.

Run by hand: python cel_python.py CASES > cel_python.json   (pip install cel-python==0.5.0)
The script reads what cel-python says and nothing of the library. A case that cel-python answers otherwise than CEL's
specification carries a `differs` that says how; those marks were set by hand, each after reading the specification.
"""

import datetime
import json
import re
import sys

import celpy
from celpy import celtypes

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def to_cel(value):
    (kind, inner), = value.items()
    if kind == "null":
        return None
    if kind == "bool":
        return celtypes.BoolType(inner)
    if kind == "int":
        return celtypes.IntType(int(inner))
    if kind == "double":
        return celtypes.DoubleType(float(inner))
    if kind == "string":
        return celtypes.StringType(inner)
    if kind == "timestamp":
        return celtypes.TimestampType(EPOCH + datetime.timedelta(microseconds=int(inner)))
    if kind == "duration":
        return celtypes.DurationType(datetime.timedelta(microseconds=int(inner)))
    if kind == "list":
        return celtypes.ListType([to_cel(item) for item in inner])
    if kind == "map":
        return celtypes.MapType({celtypes.StringType(key): to_cel(item) for key, item in inner})
    if kind == "object":
        return celtypes.MapType({celtypes.StringType(name): to_cel(item) for name, item in inner if item is not None})
    raise ValueError(kind)


def micros(delta):
    return str((delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds)


def from_cel(value):
    if value is None:
        return {"null": None}
    if isinstance(value, (bool, celtypes.BoolType)):
        return {"bool": bool(value)}
    if isinstance(value, celtypes.IntType):
        return {"int": str(int(value))}
    if isinstance(value, (float, celtypes.DoubleType)):
        return {"double": {"inf": "inf", "-inf": "-inf", "nan": "NaN"}.get(repr(float(value)), repr(float(value)))}
    if isinstance(value, str):
        return {"string": str(value)}
    if isinstance(value, datetime.datetime):
        return {"timestamp": micros(value - EPOCH)}
    if isinstance(value, datetime.timedelta):
        return {"duration": micros(value)}
    if isinstance(value, list):
        return {"list": [from_cel(item) for item in value]}
    raise ValueError(type(value))


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        cases = json.load(file)
    environment = celpy.Environment()
    lowered = {"lowerAscii": lambda text: celtypes.StringType(re.sub("[A-Z]", lambda m: m.group().lower(), text))}
    worlds = []
    for world in cases["worlds"]:
        names = {name: to_cel(value) for name, value in world.items() if name != "now"}
        names["now"] = to_cel({"timestamp": world["now"]})
        worlds.append(names)
    for case in cases["cases"]:
        try:
            program = environment.program(environment.compile(case["expr"]), functions=lowered)
            case["value"] = from_cel(program.evaluate(worlds[case["world"]]))
        except (celpy.CELEvalError, ValueError, OverflowError, TypeError, ZeroDivisionError) as error:
            case["value"] = None
            case["said"] = str(error)[:120]
    cases["origin"] = "cel-python 0.5.0 (PyPI, Apache-2.0), asked by cel_python.py over cases that cel_python.rs generated"
    json.dump(cases, sys.stdout, ensure_ascii=False)


main()
