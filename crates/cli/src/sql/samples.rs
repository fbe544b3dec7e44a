//! Tables to try things with: the auction of the Nexmark benchmark, generated as it is read.
//!
//! A sample gives way: a text that creates a table of its name gets that table, not an error.

use headwater_sql::catalog::{Relation, simple_name};
use headwater_sql::error::SqlResult;
use headwater_sql::session::Session;
use headwater_sql::syntax::{Statement, parse};

/// The statements that make them: the benchmark's own, with a rate for people.
///
/// The query texts published for the benchmark run on these names as they are.
const TABLES: &str = "\
CREATE TEMPORARY TABLE nexmark (
  event_type INT,
  person ROW<id BIGINT, name VARCHAR, emailAddress VARCHAR, creditCard VARCHAR, city VARCHAR,
             state VARCHAR, `dateTime` TIMESTAMP(3), extra VARCHAR>,
  auction ROW<id BIGINT, itemName VARCHAR, description VARCHAR, initialBid BIGINT, reserve BIGINT,
              `dateTime` TIMESTAMP(3), expires TIMESTAMP(3), seller BIGINT, category BIGINT,
              extra VARCHAR>,
  bid ROW<auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, url VARCHAR,
          `dateTime` TIMESTAMP(3), extra VARCHAR>,
  `dateTime` AS CASE WHEN event_type = 0 THEN person.`dateTime`
                     WHEN event_type = 1 THEN auction.`dateTime`
                     ELSE bid.`dateTime` END,
  WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '1' SECOND
) WITH (
  'connector' = 'nexmark',
  'first-event.rate' = '10000',
  'next-event.rate' = '10000',
  'rate.limited' = 'true'
);
CREATE TEMPORARY VIEW person AS
SELECT person.id, person.name, person.emailAddress, person.creditCard, person.city, person.state,
       `dateTime`, person.extra FROM nexmark WHERE event_type = 0;
CREATE TEMPORARY VIEW auction AS
SELECT auction.id, auction.itemName, auction.description, auction.initialBid, auction.reserve,
       `dateTime`, auction.expires, auction.seller, auction.category, auction.extra
FROM nexmark WHERE event_type = 1;
CREATE TEMPORARY VIEW bid AS
SELECT bid.auction, bid.bidder, bid.price, bid.channel, bid.url, `dateTime`, bid.extra
FROM nexmark WHERE event_type = 2;
";

/// Which samples a session still has.
#[derive(Clone, Debug, Default)]
pub(super) struct Samples(Vec<String>);

impl Samples {
    /// Makes all of them.
    ///
    /// # Errors
    /// None but a bug of ours.
    pub(super) fn make(session: &mut Session) -> SqlResult<Samples> {
        let mut made = Vec::new();
        for parsed in &parse(TABLES)? {
            session.run(parsed)?;
            made.extend(created(&parsed.statement));
        }
        Ok(Samples(made))
    }

    /// Drops the sample whose name a statement creates.
    ///
    /// # Errors
    /// None but a bug of ours.
    pub(super) fn give_way(
        &mut self,
        session: &mut Session,
        statement: &Statement,
    ) -> SqlResult<()> {
        let Some(name) = created(statement) else { return Ok(()) };
        let Some(at) = self.0.iter().position(|sample| *sample == name) else { return Ok(()) };
        self.0.remove(at);
        // Its reader may have dropped it, and made something else of that name.
        let kind = match session.catalog().get(&name) {
            Some(Relation::Table(table)) if table.temporary => "TABLE",
            Some(Relation::View(view)) if view.temporary => "VIEW",
            _ => return Ok(()),
        };
        for parsed in &parse(&format!("DROP {kind} `{name}`"))? {
            session.run(parsed)?;
        }
        Ok(())
    }
}

/// The name of the table or view that a statement creates.
fn created(statement: &Statement) -> Option<String> {
    let name = match statement {
        Statement::CreateTable(create) | Statement::CreateTableAs(create, _) => &create.name,
        Statement::CreateView(create) => &create.name,
        _ => return None,
    };
    simple_name(name).ok()
}

#[cfg(test)]
mod tests {
    use headwater_sql::session::SessionOptions;

    use super::*;

    #[test]
    fn a_sample_gives_way_to_what_a_text_creates() {
        let mut session = Session::new(SessionOptions::default()).unwrap();
        let mut samples = Samples::make(&mut session).unwrap();
        assert_eq!(samples.0, ["nexmark", "person", "auction", "bid"]);
        let mut run = |text: &str| {
            for parsed in &parse(text).unwrap() {
                samples.give_way(&mut session, &parsed.statement).unwrap();
                session.run(parsed)?;
            }
            SqlResult::Ok(())
        };
        run(
            "CREATE TABLE bid (a BIGINT) WITH ('connector' = 'datagen'); SELECT a FROM bid LIMIT 0",
        )
        .unwrap();
        // Only the sample does: the table is one's own.
        let again = run("CREATE VIEW bid AS SELECT 1").unwrap_err();
        assert_eq!(again.code, "HW-C001");
        // What was dropped, and made again with a name of a sample, is no sample any more.
        run("DROP VIEW person; CREATE VIEW person AS SELECT 1 AS x").unwrap();
        assert_eq!(run("CREATE VIEW person AS SELECT 2").unwrap_err().code, "HW-C001");
    }
}
