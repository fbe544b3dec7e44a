//! JSON.

use super::{check, check_errors};

#[test]
fn values() {
    check(&[
        (r#"JSON_VALUE('{"a": true}', '$.a')"#, "true"),
        (r#"JSON_VALUE('{"a": true}', '$.a' RETURNING BOOLEAN)"#, "TRUE"),
        (r#"JSON_VALUE('{"a": 12}', '$.a' RETURNING INTEGER)"#, "12"),
        (r#"JSON_VALUE('{"a": "x"}', '$.a' RETURNING INTEGER)"#, "NULL"),
        (r#"JSON_VALUE('{"a.b": [0.998,0.996]}', '$.["a.b"][0]' RETURNING DOUBLE)"#, "0.998"),
        (r#"JSON_VALUE('{"a": true}', 'lax $.b' DEFAULT FALSE ON EMPTY)"#, "FALSE"),
        (r#"JSON_VALUE('{"a": true}', 'strict $.b' DEFAULT 'x' ON ERROR)"#, "x"),
        (r#"JSON_VALUE('{"a": true}', '$.b')"#, "NULL"),
        (
            concat!(
                r#"JSON_VALUE('{"contains blank": "right"}', "#,
                r#"'strict $.[''contains blank'']' NULL ON EMPTY DEFAULT 'wrong' ON ERROR)"#
            ),
            "right",
        ),
        (r#"JSON_VALUE('{"a": {"b": [1, {"c": "deep"}]}}', '$.a.b[1].c')"#, "deep"),
        (r#"JSON_VALUE('{"a": {}}', 'lax $.a' DEFAULT 'none' ON EMPTY)"#, "none"),
        (r#"JSON_VALUE('{"a": null}', '$.a')"#, "NULL"),
        (r#"JSON_VALUE('no json', '$.a' DEFAULT 'bad' ON ERROR)"#, "bad"),
        (r#"JSON_VALUE('{"a": 1e10}', '$.a')"#, "1.0E10"),
        (r#"JSON_VALUE('[1, 2, 3]', '$[-1]')"#, "3"),
        ("JSON_VALUE(CAST(NULL AS STRING), '$.a')", "NULL"),
    ]);
    check_errors(&[
        (r#"JSON_VALUE('{}', 'lax $.a' ERROR ON EMPTY)"#, "function JSON_VALUE: there is no value"),
        (
            r#"JSON_VALUE('{}', 'strict $.a' ERROR ON ERROR)"#,
            "the path leads nowhere (ERROR ON ERROR)",
        ),
        ("JSON_VALUE('{}', 'a.b')", "JSON path 'a.b': it starts with $"),
        ("JSON_VALUE('{}', '$.a[?(@.b > 1)]')", "filters are not supported"),
    ]);
}

#[test]
fn queries() {
    check(&[
        (r#"JSON_QUERY('{ "a": { "b": 1 } }', '$.a')"#, r#"{"b":1}"#),
        (r#"JSON_QUERY('{"z": 1, "a": [1, "x\"y"]}', '$')"#, r#"{"z":1,"a":[1,"x\"y"]}"#),
        ("JSON_QUERY('[1, 2]', '$')", "[1,2]"),
        ("JSON_QUERY(CAST(NULL AS STRING), '$')", "NULL"),
        (r#"JSON_QUERY('{"a":[{"c":"c1"},{"c":"c2"}]}', 'lax $.a[*].c')"#, r#"["c1","c2"]"#),
        (r#"JSON_QUERY('{"a":{"c":1},"c":2}', '$..c')"#, "[2,1]"),
        ("JSON_QUERY('{}', '$' WITH CONDITIONAL ARRAY WRAPPER)", "[{}]"),
        ("JSON_QUERY('[1, 2]', '$' WITH CONDITIONAL ARRAY WRAPPER)", "[1,2]"),
        ("JSON_QUERY('[1, 2]', '$' WITH UNCONDITIONAL ARRAY WRAPPER)", "[[1,2]]"),
        ("JSON_QUERY('1', '$')", "NULL"),
        ("JSON_QUERY('1', '$' WITH CONDITIONAL ARRAY WRAPPER)", "[1]"),
        ("JSON_QUERY('{}', 'lax $.invalid' EMPTY OBJECT ON EMPTY)", "{}"),
        ("JSON_QUERY('{}', 'strict $.invalid' EMPTY ARRAY ON ERROR)", "[]"),
        (r#"JSON_EXISTS('{"a": true}', '$.a')"#, "TRUE"),
        (r#"JSON_EXISTS('{"a": true}', '$.b')"#, "FALSE"),
        (r#"JSON_EXISTS('{"a": [{ "b": 1 }]}', '$.a[0].b')"#, "TRUE"),
        (r#"JSON_EXISTS('{"a": true}', 'strict $.b' TRUE ON ERROR)"#, "TRUE"),
        (r#"JSON_EXISTS('{"a": true}', 'strict $.b' UNKNOWN ON ERROR)"#, "NULL"),
    ]);
}

#[test]
fn predicates() {
    check(&[
        ("'1' IS JSON", "TRUE"),
        ("'[]' IS JSON", "TRUE"),
        ("'abc' IS JSON", "FALSE"),
        ("'abc' IS NOT JSON", "TRUE"),
        ("'1' IS JSON SCALAR", "TRUE"),
        ("'1' IS JSON ARRAY", "FALSE"),
        ("'{}' IS JSON OBJECT", "TRUE"),
        ("'{} x' IS JSON", "FALSE"),
        ("'{}' IS JSON AND 1 = 1", "TRUE"),
    ]);
}

#[test]
fn constructors() {
    check(&[
        ("JSON_STRING(1)", "1"),
        ("JSON_STRING(TRUE)", "true"),
        ("JSON_STRING('Hello, \"World\"!')", r#""Hello, \"World\"!""#),
        ("JSON_STRING(ARRAY[1, NULL])", "[1,null]"),
        ("JSON_STRING(MAP['a', 1])", r#"{"a":1}"#),
        ("JSON_STRING(CAST(NULL AS INT))", "NULL"),
        ("JSON_OBJECT()", "{}"),
        ("JSON_OBJECT('K1' VALUE 'V1', 'K2' VALUE 2)", r#"{"K1":"V1","K2":2}"#),
        ("JSON_OBJECT(KEY 'K1' VALUE CAST(NULL AS STRING) NULL ON NULL)", r#"{"K1":null}"#),
        ("JSON_OBJECT(KEY 'K1' VALUE CAST(NULL AS STRING) ABSENT ON NULL)", "{}"),
        ("JSON_OBJECT(KEY 'K1' VALUE JSON_OBJECT(KEY 'K2' VALUE 'V'))", r#"{"K1":{"K2":"V"}}"#),
        ("JSON_ARRAY()", "[]"),
        ("JSON_ARRAY(1, '2')", r#"[1,"2"]"#),
        ("JSON_ARRAY(CAST(NULL AS STRING) NULL ON NULL)", "[null]"),
        ("JSON_ARRAY(CAST(NULL AS STRING), 1)", "[1]"),
        ("JSON_ARRAY(JSON_ARRAY(1))", "[[1]]"),
        ("JSON_QUOTE('a\"b')", r#""a\"b""#),
        (r#"JSON_UNQUOTE('"a\"b"')"#, r#"a"b"#),
        ("JSON_UNQUOTE('a')", "a"),
    ]);
}
