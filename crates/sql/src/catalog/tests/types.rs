//! SQL's types and Arrow's, there and back.

use expect_test::expect;

use super::*;
use crate::syntax::parse_expr;

fn arrow(sql: &str) -> SqlResult<DataType> {
    let Expr::Cast { data_type, .. } = parse_expr(&format!("CAST(x AS {sql})"))? else { panic!() };
    sql_type(&data_type)
}

#[test]
fn there_and_back() {
    let names = [
        "BOOLEAN",
        "TINYINT",
        "SMALLINT",
        "INT",
        "BIGINT",
        "FLOAT",
        "DOUBLE",
        "DECIMAL(38, 18)",
        "DECIMAL(10, 0)",
        "STRING",
        "BYTES",
        "DATE",
        "TIME(3)",
        "TIME(6)",
        "TIME(9)",
        "TIMESTAMP(3)",
        "TIMESTAMP(6)",
        "TIMESTAMP(9)",
        "TIMESTAMP_LTZ(3)",
        "TIMESTAMP_LTZ(9)",
        "INTERVAL DAY TO SECOND",
        "ARRAY<INT>",
        "MAP<STRING, ARRAY<BIGINT>>",
        "ROW<`a` INT, `b``c` ROW<`d` STRING>>",
        "ARRAY<ARRAY<ROW<`x` MAP<INT, INT>>>>",
    ];
    for name in names {
        assert_eq!(type_name(&arrow(name).unwrap()), name);
    }
}

#[test]
fn what_each_spelling_is() {
    let names = [
        "INTEGER",
        "REAL",
        "DOUBLE PRECISION",
        "DEC",
        "NUMERIC(5)",
        "VARCHAR(3)",
        "CHAR",
        "VARBINARY(8)",
        "TIME",
        "TIMESTAMP",
        "TIMESTAMP(0)",
        "TIMESTAMP(7)",
        "TIMESTAMP_LTZ",
        "TIMESTAMP(3) WITH LOCAL TIME ZONE",
        "INTERVAL YEAR TO MONTH",
        "INT ARRAY",
        "MAP<STRING, INT NOT NULL>",
        "ROW(a INT NOT NULL)",
    ];
    let said: Vec<String> =
        names.into_iter().map(|name| format!("{name} is {:?}", arrow(name).unwrap())).collect();
    expect![[r#"
        INTEGER is Int32
        REAL is Float32
        DOUBLE PRECISION is Float64
        DEC is Decimal128(10, 0)
        NUMERIC(5) is Decimal128(5, 0)
        VARCHAR(3) is Utf8
        CHAR is Utf8
        VARBINARY(8) is Binary
        TIME is Time32(Millisecond)
        TIMESTAMP is Timestamp(Microsecond, None)
        TIMESTAMP(0) is Timestamp(Millisecond, None)
        TIMESTAMP(7) is Timestamp(Nanosecond, None)
        TIMESTAMP_LTZ is Timestamp(Microsecond, Some("UTC"))
        TIMESTAMP(3) WITH LOCAL TIME ZONE is Timestamp(Millisecond, Some("UTC"))
        INTERVAL YEAR TO MONTH is Interval(MonthDayNano)
        INT ARRAY is List(Field { data_type: Int32, nullable: true })
        MAP<STRING, INT NOT NULL> is Map(Field { name: "entries", data_type: Struct([Field { name: "key", data_type: Utf8 }, Field { name: "value", data_type: Int32, nullable: true }]) }, false)
        ROW(a INT NOT NULL) is Struct([Field { name: "a", data_type: Int32, nullable: true }])"#]].assert_eq(&said.join("\n"));
}

#[test]
fn postgresql_casts_know_the_same_names() {
    for (sql, name) in [
        ("x::TIMESTAMP_LTZ(3)", "TIMESTAMP_LTZ(3)"),
        ("x::TIMESTAMP(3)", "TIMESTAMP(3)"),
        ("x::ARRAY<INT>", "ARRAY<INT>"),
        ("x::INT[]", "ARRAY<INT>"),
        ("x::STRING", "STRING"),
        ("x::NUMERIC", "DECIMAL(10, 0)"),
    ] {
        let Expr::Cast { data_type, .. } = parse_expr(sql).unwrap() else { panic!("{sql}") };
        assert_eq!(type_name(&sql_type(&data_type).unwrap()), name, "{sql}");
    }
    let Expr::Cast { data_type, .. } = parse_expr("x::TIMESTAMP_LTS").unwrap() else { panic!() };
    let error = sql_type(&data_type).unwrap_err();
    assert_eq!(error.code, codes::UNKNOWN_TYPE);
    assert_eq!(error.label.as_deref(), Some("did you mean `TIMESTAMP_LTZ`?"));
}
