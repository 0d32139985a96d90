"""Inputs too large for a corpus that end careless readers: by depth, by digits, by count."""

from __future__ import annotations

from mixrelay.shared.tuples import write

_DEEP = 100_000
_MANY = 20_000
_RECORD = '{"event":"E","properties":{"token":"t"}}'


def _event(value: str) -> str:
    return f'{{"data":{{"event":"E","properties":{{"token":"t","x":{value}}}}}}}'


def _listed(value: str, times: int) -> str:
    return "[" + ",".join([value] * times) + "]"


_MESSAGES = {
    "lists 100,000 deep": "[" * _DEEP + "]" * _DEEP,
    "objects 100,000 deep": '{"a":' * _DEEP + "1" + "}" * _DEEP,
    "lists as deep as the parser follows": _event("[" * 1_000 + "]" * 1_000),
    "lists of records 1,020 deep": "[" * 1_020 + _RECORD + "]" * 1_020,
    "deep lists, many": _listed("[" * 900 + "]" * 900, 200),
    "deep values, many": _event(_listed("[" * 995 + "]" * 995, 200)),
    "never closed": '{"data":' + "[" * _DEEP,
    "an integer of 300 digits": _event("9" * 300),
    "an integer of 400 digits": _event("9" * 400),
    "an integer of 100,000 digits": _event("9" * _DEEP),
    "a float of 100,000 digits": _event("0." + "1" * _DEEP),
    "a time of 400 digits": _event('1,"time":"' + "1" * 400 + '"'),
    "half of a surrogate pair, escaped": _event('"\\ud83d"'),
    "NaN": _event("NaN"),
    "-Infinity": _event("-Infinity"),
    "an overflowing float": _event("1e999"),
    "NULs": _event('"' + "\\u0000" * _MANY + '"'),
    "a name doubled 20,000 times": "{" + ",".join(['"data":{}'] * _MANY) + "}",
    "20,000 properties": _event("{" + ",".join(f'"k{n}":1' for n in range(_MANY)) + "}"),
    "20,000 records": _listed(_RECORD, _MANY),
    "the mark of an api_key 20,000 times": '{"data":{"a":"' + '},\\"api_key\\":' * _MANY + '"}}',
    "the same, unescaped": '{"data":{' + '},"api_key":' * _MANY + '"x"}',
    "a text of backslashes": _event('"' + "\\\\" * _DEEP + '"'),
    "white space": " " * 500_000 + _event(" " * 500_000 + "1"),
    "an api_key of 1 MB": f'{{"data":{_RECORD},"api_key":"' + "k" * 1_000_000 + '"}',
    "a record of 1 MB": _event('"' + "x" * 1_000_000 + '"'),
    "a property's name of 1 MB": _event('1,"' + "\\u0085" * 300_000 + '":[[[[]]]]'),
    "a deep distinct_id": _event('1,"distinct_id":' + "[" * 900 + "]" * 900),
    "a deep $insert_id": _event('1,"$insert_id":' + '{"a":' * 900 + "1" + "}" * 900),
}

PAYLOADS = {
    **{name: write("event", message) for name, message in _MESSAGES.items()},
    **{
        f"{name}, as an object": f'["event",{message}]'.encode()
        for name, message in _MESSAGES.items()
    },
    "nothing": b"",
    "a byte order mark": b"\xef\xbb\xbf" + write("event", _event("1")),
    "NULs alone": bytes(1_000),
    "no UTF-8": write("event", _event('"?"')).replace(b"?", b"\xff\xfe"),
    "half of a surrogate pair, in UTF-8": write("event", _event('"?"')).replace(
        b"?", b"\xed\xa0\xbd"
    ),
    "UTF-16": '["event","{}"]'.encode("utf-16"),
    "a type of 1 MB": write("e" * 1_000_000, "{}"),
    "a thousand elements": b"[" + b",".join([b'"event"'] * 1_000) + b"]",
}
