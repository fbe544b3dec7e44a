//! The Nexmark suite in its published Flink SQL, for the benchmark and the tests: its texts with
//! their variables filled in.
//!
//! What is changed: options only. The source says its number of splits, so that rows that rank alike
//! have one order; options of the file sink that decide when partitions are marked are left out, as
//! here the checkpoint that makes files visible marks them; `nexmark_q10` may be given the folder of
//! its files.
//!
//! Source: github.com/nexmark/nexmark, Apache License 2.0.

/// The queries, by name, with their texts.
const QUERIES: &[(&str, &str)] = &[
    ("q0", include_str!("../nexmark/q0.sql")),
    ("q1", include_str!("../nexmark/q1.sql")),
    ("q2", include_str!("../nexmark/q2.sql")),
    ("q10", include_str!("../nexmark/q10.sql")),
    ("q11", include_str!("../nexmark/q11.sql")),
    ("q12", include_str!("../nexmark/q12.sql")),
    ("q14", include_str!("../nexmark/q14.sql")),
    ("q15", include_str!("../nexmark/q15.sql")),
    ("q16", include_str!("../nexmark/q16.sql")),
    ("q17", include_str!("../nexmark/q17.sql")),
    ("q18", include_str!("../nexmark/q18.sql")),
    ("q19", include_str!("../nexmark/q19.sql")),
    ("q21", include_str!("../nexmark/q21.sql")),
    ("q22", include_str!("../nexmark/q22.sql")),
];

const TABLES: &str = include_str!("../nexmark/ddl_gen.sql");
const VIEWS: &str = include_str!("../nexmark/ddl_views.sql");

/// Options of the file sink that say when Flink marks a partition as complete.
const MARKS_OF_PARTITIONS: [&str; 3] =
    ["sink.partition-commit.trigger", "sink.partition-commit.delay", "partition.time-extractor"];

/// The values of the texts' variables.
#[derive(Clone, Debug)]
pub struct Variables {
    /// How many events there are.
    pub events: u64,
    /// Events per second of event time.
    pub rate: u64,
    /// How many splits share the events.
    pub splits: usize,
    /// The folder that q10 writes its files into.
    pub folder: String,
}

/// Names of the queries, in their order.
pub fn queries() -> impl Iterator<Item = &'static str> {
    QUERIES.iter().map(|(name, _)| *name)
}

/// The statements that make the table and its views.
pub fn tables(variables: &Variables) -> String {
    format!("{}\n{}", variables.fill(TABLES), variables.fill(VIEWS))
}

/// The text of a query: its sink and its INSERT; none if there is no query of this name.
pub fn query(name: &str, variables: &Variables) -> Option<String> {
    let (_, text) = QUERIES.iter().find(|(query, _)| *query == name)?;
    Some(variables.fill(text))
}

impl Variables {
    fn fill(&self, text: &str) -> String {
        let values = [
            ("TPS", self.rate.to_string()),
            ("EVENTS_NUM", self.events.to_string()),
            ("PERSON_PROPORTION", "1".to_owned()),
            ("AUCTION_PROPORTION", "3".to_owned()),
            ("BID_PROPORTION", "46".to_owned()),
            ("NEXMARK_TABLE", "datagen".to_owned()),
            ("NEXMARK_DIR", self.folder.clone()),
            ("SUBMIT_TIME", "now".to_owned()),
        ];
        let fill = |text: String, (name, value): &(&str, String)| {
            text.replace(&format!("${{{name}}}"), value)
        };
        let splits = format!("'connector' = 'nexmark', 'scan.splits' = '{}'", self.splits);
        let text = values.iter().fold(text.to_owned(), fill);
        let text = text.replace("'connector' = 'nexmark'", &splits);
        let ours = |line: &&str| !MARKS_OF_PARTITIONS.iter().any(|option| line.contains(option));
        text.lines().filter(ours).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_variable_is_left() {
        let variables = Variables { events: 7, rate: 9, splits: 3, folder: "/tmp/here".into() };
        let tables = tables(&variables);
        assert!(tables.contains("'events.num' = '7'") && tables.contains("'scan.splits' = '3'"));
        let texts = queries().map(|name| query(name, &variables).unwrap());
        for text in texts.chain([tables]) {
            assert!(!text.contains("${"), "{text}");
            crate::syntax::parse(&text).unwrap();
        }
        assert!(query("q10", &variables).unwrap().contains("file:///tmp/here/data"));
        assert_eq!(query("q99", &variables), None);
    }
}
