from __future__ import annotations

import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from blackcore.minimal.query_engine.errors import DatabaseFormatError
from blackcore.minimal.query_engine.loaders.decoding import (
    FaultyJSONError,
    decode_array,
    decode_lines,
    decode_value,
    json_type,
)

DEEP = 100_000

numbers = st.from_regex(r"\A-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?\Z")
words = st.sampled_from(["NaN", "Infinity", "-Infinity", "true", "false", "null", "-0", "1e400"])
escapes = st.sampled_from(
    [r"\ud800", r"\udc00", r"\u0000", r"\n", r"\/", r"\"", "é", "😀", "x", " "]
)
strings = st.lists(escapes, max_size=6).map(lambda parts: '"' + "".join(parts) + '"')
space = st.sampled_from(["", " ", "\n", "\t", "\r\n"])


def arrays(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda items, gap: f"[{gap}{','.join(items)}{gap}]", st.lists(inner, max_size=4), space
    )


def objects(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    # few keys, so that duplicates are common
    pairs = st.builds(
        lambda key, gap, value: f"{key}:{gap}{value}",
        st.sampled_from(['"a"', '"b"', '"\\ud800"']),
        space,
        inner,
    )
    return st.builds(
        lambda items, gap: f"{{{gap}{','.join(items)}}}", st.lists(pairs, max_size=4), space
    )


texts = st.recursive(
    numbers | words | strings, lambda inner: arrays(inner) | objects(inner), max_leaves=12
)
plain_rows = st.lists(
    st.dictionaries(
        st.text(max_size=4),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=6)
        | st.lists(st.integers(), max_size=2),
        max_size=4,
    ),
    max_size=8,
)


def same(left: object, right: object) -> bool:
    """Equal in type, order of keys and value, NaN and -0.0 included."""
    return type(left) is type(right) and repr(left) == repr(right)


@given(texts)
@example("[1.7976931348623159e308, 2.4703282292062328e-324, 9007199254740993.0]")
@example("[18446744073709551615, 18446744073709551616, -9223372036854775809]")
@example("9" * 4000)
def test_every_json_text_is_read_as_python_reads_it(text: str) -> None:
    assert same(decode_value(text.encode()), json.loads(text))


@given(st.text(alphabet='[]{}",:0123456789.eE+-tfnulNa\\ \n\x00é'))
def test_what_python_refuses_is_refused_and_what_it_reads_is_read_alike(text: str) -> None:
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(FaultyJSONError) as caught:
            decode_value(text.encode())
        assert caught.value.offset is not None
        assert 0 <= caught.value.offset <= len(text.encode())
    else:
        assert same(decode_value(text.encode()), expected)


@pytest.mark.parametrize("number", ["123456789012345678901234567890", "-9223372036854775809"])
def test_ints_beyond_64_bits_stay_exact(number: str) -> None:
    value = decode_value(number.encode())
    assert type(value) is int
    assert str(value) == number


def test_numbers_too_large_for_a_float_are_infinite() -> None:
    assert decode_value(b"[1e400, -1e400]") == [math.inf, -math.inf]


@pytest.mark.parametrize(
    ("data", "offset", "reason"),
    [
        (b"", 0, "it is empty"),
        (b" \n ", 0, "it is empty"),
        ('["é", "abc'.encode(), 7, "inside the string that begins here"),
        ('["é", '.encode(), 7, "the file ends too early"),
        ('["é", x]'.encode(), 7, "expecting value"),
        (b'["ok", "\xff"]', 8, "byte 0xff is not valid UTF-8"),
        (b'["\xed\xa0\x80"]', 2, "byte 0xed is not valid UTF-8"),
        (b"[] []", 3, "extra data"),
        (b"[1, " + b"9" * 5000 + b"]", 4, "limit"),
        (b'["' + b"9" * 5000 + b'\\"", ' + b"9" * 5000 + b"]", 5007, "limit"),
    ],
)
def test_fault_is_placed_at_its_byte(data: bytes, offset: int, reason: str) -> None:
    with pytest.raises(FaultyJSONError, match=reason) as caught:
        decode_value(data)
    assert caught.value.offset == offset


def test_nesting_too_deep_for_python_is_placed_where_it_is_deepest() -> None:
    data = b'[{"[[[[": 1}, ' + b"[" * DEEP + b"]" * DEEP + b"]"
    with pytest.raises(FaultyJSONError, match=f"nested {DEEP + 1} deep") as caught:
        decode_value(data)
    assert caught.value.offset == data.index(b"[[[[[") + DEEP - 1


def test_json_names_of_types() -> None:
    values = [None, True, 1, 1.5, "a", [], {}]
    assert [json_type(value) for value in values] == [
        "null", "a boolean", "a number", "a number", "a string", "an array", "an object",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        b'[{"a": 1}]',
        b'\xef\xbb\xbf[{"a": 1}]',
        b'{"People & Contacts": [{"a": 1}]}',
        b' \n{"":[{"a":1}]}\n',
    ],
)
def test_records_lie_in_an_array_or_in_an_object_around_one(data: bytes) -> None:
    assert decode_array(data, "x.json") == [{"a": 1}]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "x.json at byte 0: it is empty; expected a JSON array of objects"),
        (b'[{"a": 1}, ', "x.json at byte 11: the file ends too early"),
        (b"7", "x.json: it is a number; expected an array of objects"),
        (b"null", "x.json: it is null"),
        (b"{}", "x.json: it is an object with 0 keys"),
        (b'{"a": [], "b": []}', "x.json: it is an object with 2 keys"),
        (b'{"a": {}}', "x.json: its key 'a' holds an object"),
        (b'[{}, {}, "a", 1]', "x.json: record 2 is a string; every record must be an object"),
        (b'{"k": [null]}', "x.json: record 0 is null"),
        (b'{"a": 1}\n{"a": 2}', "name the file .jsonl"),
        ("[]".encode("utf-16"), "looks like UTF-16; save it as UTF-8"),
    ],
)
def test_other_content_is_refused_with_its_place(data: bytes, message: str) -> None:
    with pytest.raises(DatabaseFormatError) as caught:
        decode_array(data, "x.json")
    assert message in str(caught.value)


def test_byte_offset_counts_the_byte_order_mark() -> None:
    with pytest.raises(DatabaseFormatError, match="at byte 4") as caught:
        decode_array(b"\xef\xbb\xbf[x]", "x.json")
    assert (caught.value.byte_offset, caught.value.line) == (4, None)


def lines_of(data: bytes, block_bytes: int = 1 << 20) -> list[dict[str, object]]:
    blocks = (data[i : i + block_bytes] for i in range(0, len(data), block_bytes))
    return decode_lines(blocks, "x.jsonl", lambda _: None)


@given(
    rows=plain_rows,
    newline=st.sampled_from(["\n", "\r\n", "\n\n", " \n"]),
    last=st.booleans(),
    bom=st.booleans(),
    block_bytes=st.integers(1, 60),
)
def test_lines_are_read_as_python_reads_each(
    rows: list[dict[str, object]], newline: str, last: bool, bom: bool, block_bytes: int
) -> None:
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    text = newline.join(lines) + (newline if last else "")
    data = text.encode("utf-8-sig" if bom else "utf-8")
    assert same(lines_of(data, block_bytes), [json.loads(line) for line in lines])


@given(
    st.lists(
        st.sampled_from(['{"a":', '{"b":[{}', "}", "{}", "1}", ",", "]", "\n", "\r\n", " ", '"x"'])
    ).map("".join)
)
def test_each_line_must_be_one_whole_object(text: str) -> None:
    lines = [line for line in text.split("\n") if line.strip(" \t\r")]
    try:
        expected = [json.loads(line) for line in lines]
    except ValueError:
        expected = None
    if expected is None or any(type(row) is not dict for row in expected):
        with pytest.raises(DatabaseFormatError):
            lines_of(text.encode())
    else:
        assert lines_of(text.encode()) == expected


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1}{"a":2}\n{"b":\n2}\n',  # as many objects as lines
        '{"a":1}{"a":2}\n{"a":3}\n',
        '{"a":[{}\n,{}]}\n',
        '{"a":1},\n{"a":2}\n',
    ],
)
def test_objects_that_share_or_span_lines_are_refused(text: str) -> None:
    with pytest.raises(DatabaseFormatError, match="line 1 "):
        lines_of(text.encode())


@pytest.mark.parametrize("block_bytes", [3, 10, 1000])
@pytest.mark.parametrize(
    ("data", "line", "offset", "message"),
    [
        (b'{"a":1}\n{"a":x}\n{"a":3}', 2, 13, "expecting value"),
        (b'{"a":1}\r\n\r\n{"a":', 3, 16, "the line ends too early"),
        (b'\xef\xbb\xbf{"a":1}\n{"a":"\xff"}', 2, 17, "byte 0xff is not valid UTF-8"),
        (b'{"a":1}\n[1]\n', 2, 8, "it is an array; expected one JSON object a line"),
        (b"7", 1, 0, "it is a number"),
        (b'{"a":1}\n{"a":"b', 2, 13, "the line ends inside the string"),
    ],
)
def test_fault_in_lines_is_placed_at_line_and_byte(
    data: bytes, line: int, offset: int, message: str, block_bytes: int
) -> None:
    with pytest.raises(DatabaseFormatError, match=message) as caught:
        lines_of(data, block_bytes)
    assert (caught.value.line, caught.value.byte_offset) == (line, offset)
    assert f"x.jsonl, line {line} (byte {offset})" in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"\n", b"\xef\xbb\xbf", b" \r\n\t\n"])
def test_no_lines_are_no_records(data: bytes) -> None:
    assert lines_of(data) == []


def test_lines_python_alone_reads_are_read() -> None:
    data = b'{"a":NaN}\n{"b":"\\ud800"}\n{"c":1e400}\n'
    assert same(lines_of(data), [{"a": math.nan}, {"b": "\ud800"}, {"c": math.inf}])


def test_line_nested_too_deep_is_named() -> None:
    data = b'{"a":1}\n{"a":' + b"[" * DEEP + b"]" * DEEP + b"}\n"
    with pytest.raises(DatabaseFormatError, match=r"line 2 .*nested"):
        lines_of(data)


def test_records_are_counted_after_each_block() -> None:
    counts: list[int] = []
    decode_lines([b'{"a":1}\n{"a":2}\n{"a"', b":3}\n"], "x.jsonl", counts.append)
    assert counts == [2, 3]
