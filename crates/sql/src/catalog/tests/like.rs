//! `LIKE`: what is taken over.

use expect_test::expect;

use super::*;

const BASE: &str = "CREATE TABLE base (
    id BIGINT, at TIMESTAMP(3), x AS id + 1, m INT METADATA FROM 'k' VIRTUAL,
    WATERMARK FOR at AS at - INTERVAL '5' SECOND, PRIMARY KEY (id) NOT ENFORCED
) PARTITIONED BY (at) WITH ('connector' = 'kafka', 'topic' = 'a');\n";

fn like(text: &str) -> String {
    let catalog = catalog(&format!("{BASE}{text}"));
    let Some(Relation::Table(table)) = catalog.get("t") else { panic!() };
    describe(&table)
}

#[test]
fn all_is_taken_over_and_options_are_overwritten() {
    expect![[r#"
        t
          id Int64 not null
          at Timestamp(ms)
          x Int64 not null is id + 1
          m Int32 metadata k virtual
          more Utf8
          key [0] by [1]
          watermark 1 at - INTERVAL '5' SECOND
          {"connector": "kafka", "topic": "b"}"#]]
    .assert_eq(&like("CREATE TABLE t (more STRING) WITH ('topic' = 'b') LIKE base"));
}

#[test]
fn only_columns_are() {
    expect![[r#"
        t
          id Int64 not null
          at Timestamp(ms)
          key [] by []
          {}"#]]
    .assert_eq(&like("CREATE TABLE t LIKE base (EXCLUDING ALL)"));
}

#[test]
fn rules_one_by_one() {
    expect![[r#"
        t
          id Int64 not null
          at Timestamp(ms)
          x Int64 not null is id + 2
          key [] by []
          watermark 1 at
          {"connector": "kafka", "format": "json", "topic": "a"}"#]]
    .assert_eq(&like(
        "CREATE TABLE t (x AS id + 2, WATERMARK FOR at AS at) WITH ('format' = 'json')
         LIKE base (OVERWRITING GENERATED OVERWRITING WATERMARKS EXCLUDING METADATA
                    INCLUDING OPTIONS EXCLUDING CONSTRAINTS EXCLUDING PARTITIONS)",
    ));
}

#[test]
fn a_new_key_for_the_old_columns() {
    expect![[r#"
        t
          id Int64 not null
          at Timestamp(ms) not null
          key [0, 1] by []
          watermark 1 at - INTERVAL '5' SECOND
          {}"#]].assert_eq(&like(
        "CREATE TABLE t (PRIMARY KEY (id, at) NOT ENFORCED) LIKE base (EXCLUDING ALL INCLUDING WATERMARKS)",
    ));
}

#[test]
fn what_is_there_twice() {
    let drawn: Vec<String> = [
        "CREATE TABLE t (id BIGINT) LIKE base",
        "CREATE TABLE t (x AS id) LIKE base",
        "CREATE TABLE t (x INT) LIKE base (OVERWRITING GENERATED)",
        "CREATE TABLE t (WATERMARK FOR at AS at) LIKE base",
        "CREATE TABLE t (PRIMARY KEY (id) NOT ENFORCED) LIKE base",
        "CREATE TABLE t PARTITIONED BY (id) LIKE base",
        "CREATE TABLE t WITH ('topic' = 'b') LIKE base (INCLUDING OPTIONS)",
        "CREATE TABLE t LIKE base (OVERWRITING CONSTRAINTS)",
        "CREATE TABLE t LIKE base (EXCLUDING EVERYTHING)",
    ]
    .into_iter()
    .map(|text| {
        let mut catalog = catalog(BASE);
        run(&mut catalog, text).unwrap_err().render(text, false)
    })
    .collect();
    expect![[r#"
        error[HW-C008]: table `base` has a column `id` already
          1 │ CREATE TABLE t (id BIGINT) LIKE base
            ·                 ^^
          more: headwater error HW-C008
        error[HW-C008]: table `base` has a column `x` already
          1 │ CREATE TABLE t (x AS id) LIKE base
            ·                 ^
          more: headwater error HW-C008
        error[HW-C008]: table `base` has a column `x` already
          1 │ CREATE TABLE t (x INT) LIKE base (OVERWRITING GENERATED)
            ·                 ^
          more: headwater error HW-C008
        error[HW-C008]: table `base` has a watermark already, and it is given here too
          1 │ CREATE TABLE t (WATERMARK FOR at AS at) LIKE base
            ·                               ^^
          help: write LIKE … (OVERWRITING WATERMARKS)
          more: headwater error HW-C008
        error[HW-C008]: table `base` has a primary key already, and it is given here too
          1 │ CREATE TABLE t (PRIMARY KEY (id) NOT ENFORCED) LIKE base
            ·                              ^^
          help: write LIKE … (EXCLUDING CONSTRAINTS)
          more: headwater error HW-C008
        error[HW-C008]: table `base` has partitions already, and it is given here too
          1 │ CREATE TABLE t PARTITIONED BY (id) LIKE base
            ·                                ^^
          help: write LIKE … (EXCLUDING PARTITIONS)
          more: headwater error HW-C008
        error[HW-C008]: table `base` has option 'topic' already
          1 │ CREATE TABLE t WITH ('topic' = 'b') LIKE base (INCLUDING OPTIONS)
            ·                      ^^^^^^^
          help: write LIKE … (OVERWRITING OPTIONS)
          more: headwater error HW-C008
        error[HW-C008]: only GENERATED, METADATA, OPTIONS and WATERMARKS can be overwritten
          1 │ CREATE TABLE t LIKE base (OVERWRITING CONSTRAINTS)
            ·                                       ^^^^^^^^^^^
          more: headwater error HW-C008
        error[HW-S001]: expected ALL, CONSTRAINTS, GENERATED, METADATA, OPTIONS, PARTITIONS or WATERMARKS, found `EVERYTHING`
          1 │ CREATE TABLE t LIKE base (EXCLUDING EVERYTHING)
            ·                                     ^^^^^^^^^^
          more: headwater error HW-S001"#]].assert_eq(&drawn.join("\n"));
}
