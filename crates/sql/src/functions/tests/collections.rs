//! Arrays, maps and rows.

use super::{check, check_errors};

#[test]
fn arrays() {
    check(&[
        ("CARDINALITY(ARRAY[1, 2, 3])", "3"),
        ("CARDINALITY(MAP['a', 1])", "1"),
        ("ARRAY[10, 20][2]", "20"),
        ("ARRAY[10, 20][3]", "NULL"),
        ("ARRAY[10, 20][1 + 1]", "20"),
        ("ARRAY[ARRAY[1], ARRAY[2, 3]][2][1 + 1]", "3"),
        ("ELEMENT(ARRAY[5])", "5"),
        ("ARRAY_CONTAINS(ARRAY[1, 2], 2)", "TRUE"),
        ("ARRAY_CONTAINS(ARRAY[1, 2], 3)", "FALSE"),
        ("ARRAY_CONTAINS(ARRAY[1, NULL], NULL)", "TRUE"),
        ("ARRAY_CONTAINS(ARRAY['a'], 'a')", "TRUE"),
        ("ARRAY_DISTINCT(ARRAY[1, 1])", "[1]"),
        ("ARRAY_POSITION(ARRAY['a', 'b'], 'b')", "2"),
        ("ARRAY_POSITION(ARRAY['a', 'b'], 'c')", "0"),
        ("ARRAY_REMOVE(ARRAY[1, 2, 1], 1)", "[2]"),
        ("ARRAY_REVERSE(ARRAY[1, 2])", "[2, 1]"),
        ("ARRAY_APPEND(ARRAY[1], 2)", "[1, 2]"),
        ("ARRAY_PREPEND(ARRAY[1], 2)", "[2, 1]"),
        ("ARRAY_CONCAT(ARRAY[1], ARRAY[2, 3])", "[1, 2, 3]"),
        ("ARRAY_EXCEPT(ARRAY[1, 2], ARRAY[2])", "[1]"),
        ("ARRAY_MAX(ARRAY[1, 3, 2])", "3"),
        ("ARRAY_MIN(ARRAY[1, 3, 2])", "1"),
        ("ARRAY_JOIN(ARRAY['a', 'b'], '-')", "a-b"),
        ("ARRAY_JOIN(ARRAY['a', NULL], '-', 'n')", "a-n"),
        ("ARRAY_JOIN(ARRAY['a', NULL], '-')", "a"),
        ("ARRAY_SLICE(ARRAY[1, 2, 3, 4], 2, 3)", "[2, 3]"),
        ("ARRAY_SLICE(ARRAY[1, 2, 3, 4], -2)", "[3, 4]"),
        ("ARRAY_SLICE(ARRAY[1, 2, 3, 4], 3, 1)", "[]"),
        ("!ARRAY_SORT(ARRAY[2, NULL, 1])", "[NULL, 1, 2]"),
        ("!ARRAY_SORT(ARRAY[2, NULL, 1], FALSE)", "[2, 1, NULL]"),
        ("!ARRAY_SORT(ARRAY[2, NULL, 1], TRUE, FALSE)", "[1, 2, NULL]"),
    ]);
    check_errors(&[("ELEMENT(ARRAY[1, 2])", "function ELEMENT: the array has 2 items, not one")]);
}

#[test]
fn maps_and_rows() {
    check(&[
        ("MAP['a', 1, 'b', 2]['b']", "2"),
        ("MAP['a', 1]['x']", "NULL"),
        ("MAP['a', 1, 'b', 2][LOWER('B')]", "2"),
        ("MAP[1, 'x'][0 + 1]", "x"),
        ("MAP_KEYS(MAP['a', 1, 'b', 2])", "[a, b]"),
        ("MAP_VALUES(MAP['a', 1, 'b', 2])", "[1, 2]"),
        ("MAP_FROM_ARRAYS(ARRAY['a', 'b'], ARRAY[1, 2])", "{a=1, b=2}"),
        ("MAP_UNION(MAP['a', 1, 'b', 2], MAP['b', 3])", "{a=1, b=3}"),
        ("CAST(ROW(1, 'x') AS STRING)", "(1, x)"),
    ]);
    check_errors(&[
        (
            "MAP_FROM_ARRAYS(ARRAY['a'], ARRAY[1, 2])",
            "function MAP_FROM_ARRAYS: there are 1 keys, but 2 values",
        ),
        ("MAP['a']", "a value for the last key"),
    ]);
}
