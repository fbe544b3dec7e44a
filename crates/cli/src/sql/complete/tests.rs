use super::*;

fn names() -> Names {
    let columns = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    Names {
        tables: vec![
            ("auction".to_owned(), columns(&["id", "itemName", "seller"])),
            ("bid".to_owned(), columns(&["auction", "bidder", "price", "channel", "user", "a b"])),
        ],
        functions: columns(&["CHAR_LENGTH", "COUNT", "COALESCE"]),
        settings: vec![
            key("table.exec.state.ttl", &[]),
            key("execution.runtime-mode", &["automatic", "batch"]),
        ],
        connectors: vec![
            ("nexmark".to_owned(), vec![key("connector", &[]), key("events.num", &[])]),
            (
                "kafka".to_owned(),
                vec![
                    key("connector", &[]),
                    key("topic", &[]),
                    key("format", &["json", "debezium-json"]),
                ],
            ),
        ],
    }
}

fn key(name: &str, values: &[&str]) -> Key {
    Key { name: name.to_owned(), values: values.iter().map(|v| (*v).to_owned()).collect() }
}

/// What is offered at the `|` of a text, and what stands before it.
fn at(text: &str) -> (String, Vec<String>) {
    let position = text.find('|').unwrap();
    let text = text.replace('|', "");
    match offer(&names(), &text, position) {
        Offer::Words(from, words) => (text[..from].to_owned(), words),
        Offer::Files => (String::new(), vec!["<files>".to_owned()]),
    }
}

fn words(text: &str) -> Vec<String> {
    at(text).1
}

#[test]
fn statements_begin_with_their_words() {
    assert_eq!(words("SEL|"), ["SELECT"]);
    assert_eq!(words("sel|"), ["select"]);
    assert_eq!(words("SELECT 1; des|"), ["describe"]);
    assert!(words("|").contains(&"SELECT".to_owned()));
}

#[test]
fn tables_are_offered_where_tables_stand() {
    assert_eq!(at("SELECT * FROM b|"), ("SELECT * FROM ".to_owned(), vec!["bid".to_owned()]));
    assert_eq!(words("SELECT * FROM |"), ["auction", "bid", "TABLE"]);
    assert_eq!(words("SELECT * FROM TABLE(TUMBLE(TABLE b|"), ["bid"]);
    assert_eq!(words("DESCRIBE a|"), ["auction"]);
    assert_eq!(words("INSERT INTO b| SELECT"), ["bid"]);
}

#[test]
fn columns_are_those_of_the_tables_in_the_statement() {
    assert_eq!(words("SELECT ch| FROM bid"), ["channel", "char_length("]);
    assert_eq!(words("SELECT itemN|"), Vec::<String>::new());
    assert_eq!(words("SELECT item| FROM auction"), ["itemName"]);
    assert_eq!(words("SELECT 1 FROM auction; SELECT item| FROM bid"), Vec::<String>::new());
    assert_eq!(words("SELECT bid.p| FROM bid"), ["price"]);
    assert_eq!(words("SELECT b.p| FROM bid AS b"), ["price"]);
    assert_eq!(words("SELECT b.p| FROM bid b"), ["price"]);
    assert_eq!(words("SELECT x.p| FROM bid b"), Vec::<String>::new());
}

#[test]
fn names_that_need_quotes_get_them() {
    assert_eq!(words("SELECT us| FROM bid"), ["`user`"]);
    assert_eq!(words("SELECT `a| FROM bid"), ["`auction`", "`a b`"]);
    assert_eq!(at("SELECT `a| FROM bid").0, "SELECT ");
}

#[test]
fn functions_and_keywords_follow_the_case_of_what_is_typed() {
    assert_eq!(words("SELECT COU| FROM bid"), ["COUNT("]);
    assert_eq!(words("SELECT cou| FROM bid"), ["count("]);
    assert_eq!(words("select * from bid whe|"), ["when", "where"]);
    assert_eq!(words("SELECT * FROM bid GRO|"), ["GROUP BY", "GROUPING SETS"]);
}

#[test]
fn options_and_settings_are_texts() {
    assert_eq!(words("CREATE TABLE t (a INT) WITH ('con|"), ["connector"]);
    assert_eq!(words("CREATE TABLE t (a INT) WITH ('connector' = 'n|"), ["nexmark"]);
    assert_eq!(words("CREATE TABLE t (a INT) WITH ('connector' = 'kafka', 't|"), ["topic"]);
    assert_eq!(words("CREATE TABLE t (a INT) WITH ('connector' = 'kafka', 'ev|"), [""; 0]);
    assert_eq!(words("CREATE TABLE t (a INT) WITH ('format' = 'deb|"), ["debezium-json"]);
    assert_eq!(words("SET 'execution.runtime-mode' = 'b|"), ["batch"]);
    let (before, settings) = at("SET 'exec|");
    assert_eq!((before.as_str(), settings), ("SET '", vec!["execution.runtime-mode".to_owned()]));
    assert_eq!(words("SELECT * FROM 'ord|"), ["<files>"]);
    assert_eq!(words("SELECT 'sel|"), [""; 0]);
    assert_eq!(words("SELECT /* sel|"), [""; 0]);
}

#[test]
fn commands_to_the_shell_are_completed() {
    assert_eq!(words("\\ti|"), ["\\timing"]);
    assert_eq!(at("\\mode ve|"), ("\\mode ".to_owned(), vec!["vertical".to_owned()]));
    assert_eq!(words("\\d a|"), ["auction"]);
    assert_eq!(words(".read |"), ["<files>"]);
    assert_eq!(words("\\error hw-p004|"), ["HW-P004"]);
}
