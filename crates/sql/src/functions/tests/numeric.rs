//! Numbers.

use super::{check, check_errors};

#[test]
fn real_functions() {
    check(&[
        ("POWER(2, 3)", "8.0"),
        ("SQRT(4)", "2.0"),
        ("SQRT(2.25)", "1.5"),
        ("SQRT(-1)", "NaN"),
        ("LN(E())", "1.0"),
        ("LN(0)", "-Infinity"),
        ("LOG10(1000)", "3.0"),
        ("LOG2(8)", "3.0"),
        ("LOG(2, 8)", "3.0"),
        ("LOG(E())", "1.0"),
        ("EXP(0)", "1.0"),
        ("SIN(0)", "0.0"),
        ("COS(0)", "1.0"),
        ("ATAN2(0, 1)", "0.0"),
        ("DEGREES(PI())", "180.0"),
        ("RADIANS(180) = PI()", "TRUE"),
        ("COSH(0)", "1.0"),
        ("SQRT(CAST(NULL AS INT))", "NULL"),
        ("ROUND(COT(1), 4)", "0.6421"),
    ]);
}

#[test]
fn rounding() {
    check(&[
        ("ABS(-5)", "5"),
        ("ABS(-1.5)", "1.5"),
        ("CEIL(1.2)", "2"),
        ("CEILING(-1.2)", "-1"),
        ("FLOOR(-1.2)", "-2"),
        ("CEIL(5)", "5"),
        ("FLOOR(CAST(-1.5 AS DOUBLE))", "-2.0"),
        ("CEIL(CAST(-0.5 AS DECIMAL(3, 2)))", "0"),
        ("FLOOR(CAST(NULL AS INT))", "NULL"),
        ("TYPEOF(FLOOR(CAST(1.25 AS DECIMAL(3, 2))))", "DECIMAL(3, 0)"),
        ("TYPEOF(CEIL(CAST(1 AS INT)))", "INT"),
        ("!ROUND(2.345, 2)", "2.35"),
        ("ROUND(-2.5)", "-3"),
        ("ROUND(1234, -2)", "1200"),
        ("!TRUNCATE(42.324, 2)", "42.32"),
        ("TRUNCATE(42.324)", "42"),
        ("TRUNCATE(-42.9)", "-42"),
        ("!TRUNCATE(1234.5, -2)", "1200"),
        ("TRUNCATE(12345, -2)", "12300"),
        ("TRUNCATE(CAST(42.324 AS DOUBLE), 2)", "42.32"),
        ("TRUNCATE(CAST(NULL AS INT), 1)", "NULL"),
        ("SIGN(-3)", "-1"),
        ("SIGN(0)", "0"),
        ("SIGN(-2.5)", "-1.0"),
        ("SIGN(CAST(2.5 AS DOUBLE))", "1.0"),
        ("MOD(7, 3)", "1"),
        ("MOD(-7, 3)", "-1"),
        ("7 % 3", "1"),
        ("RAND_INTEGER(1)", "0"),
        ("RAND() < 1", "TRUE"),
    ]);
    check_errors(&[
        ("RAND_INTEGER(0)", "argument 1 (bound) must be positive, got 0"),
        ("SQRT('x')", "argument 1 (number) of function SQRT(number) must be a number, got STRING"),
    ]);
}

#[test]
fn arithmetic_fails_rather_than_wraps() {
    check(&[
        ("7 / 2", "3"),
        ("-7 / 2", "-3"),
        ("1 + 2 * 3", "7"),
        ("9223372036854775806 + 1", "9223372036854775807"),
        ("CAST(1 AS INT) + CAST(2 AS INT)", "3"),
        ("TYPEOF(CAST(1 AS INT) + CAST(2 AS INT))", "INT"),
        ("CAST(NULL AS INT) + 1", "NULL"),
        ("1.5 * 2", "3.0"),
    ]);
    check_errors(&[
        ("9223372036854775807 + 1", "BIGINT overflow in +"),
        ("-9223372036854775807 - 2", "BIGINT overflow in -"),
        ("9223372036854775807 * 2", "BIGINT overflow in *"),
        ("CAST(2147483647 AS INT) + CAST(1 AS INT)", "INT overflow in +"),
        ("1 / 0", "ivide by zero"),
        ("1.0 / 0", "division by zero"),
    ]);
}

#[test]
fn quotients_of_decimals_have_flinks_scale() {
    check(&[
        ("CAST(1 AS DECIMAL(2, 1)) / CAST(3 AS INT)", "0.333333333333"),
        ("TYPEOF(CAST(1 AS DECIMAL(2, 1)) / CAST(3 AS INT))", "DECIMAL(13, 12)"),
        ("CAST(2 AS DECIMAL(3, 1)) / CAST(3 AS DECIMAL(2, 1))", "0.666667"),
        ("CAST(-2 AS DECIMAL(3, 1)) / CAST(3 AS DECIMAL(2, 1))", "-0.666667"),
        ("TYPEOF(CAST(2 AS DECIMAL(3, 1)) / CAST(3 AS DECIMAL(2, 1)))", "DECIMAL(9, 6)"),
        ("TYPEOF(CAST(2 AS DECIMAL(38, 10)) / CAST(3 AS DECIMAL(38, 10)))", "DECIMAL(38, 6)"),
        ("CAST(NULL AS DECIMAL(3, 1)) / 2", "NULL"),
    ]);
}

#[test]
fn averages_of_integers_are_integers() {
    let average = |expr: &str| {
        let sql = format!("(SELECT AVG(x) FROM (VALUES {expr}) AS t(x))");
        super::constant(&sql, "UTC").unwrap()
    };
    assert_eq!(average("(1), (2)"), "1");
    assert_eq!(average("(-1), (-2)"), "-1");
    assert_eq!(average("(9223372036854775807), (9223372036854775805)"), "9223372036854775806");
    assert_eq!(average("(CAST(1 AS DOUBLE)), (CAST(2 AS DOUBLE))"), "1.5");
    assert_eq!(average("(1.0), (2.5), (CAST(NULL AS DECIMAL(2, 1)))"), "1.750000");
    assert_eq!(average("(2.0), (0.0), (0.0)"), "0.666667");
    assert_eq!(average("(CAST(NULL AS INT))"), "NULL");
    let distinct = "(SELECT AVG(DISTINCT x) FROM (VALUES (1), (1), (4)) AS t(x))";
    assert_eq!(super::constant(distinct, "UTC").unwrap(), "2");
}

#[test]
fn lists_of_strings() {
    let list = |call: &str| {
        let rows = "(VALUES ('b'), ('a'), (CAST(NULL AS STRING)), ('b')) AS t(x)";
        super::constant(&format!("(SELECT {call} FROM {rows})"), "UTC").unwrap()
    };
    assert_eq!(list("LISTAGG(x)"), "b,a,b");
    assert_eq!(list("LISTAGG(x, ' | ')"), "b | a | b");
    // which of them comes first is not said of a query over bounded tables
    assert!(["a,b", "b,a"].contains(&list("LISTAGG(DISTINCT x)").as_str()));
    assert_eq!(list("LISTAGG(x) FILTER (WHERE x = 'c')"), "NULL");
    check_errors(&[("LISTAGG(1)", "argument 1 of LISTAGG(string[, separator]) must be a STRING")]);
}
