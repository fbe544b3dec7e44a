//! q8: who registered and opened an auction within the same 10 s.
//!
//! ```sql
//! SELECT P.id, P.name, P.ws FROM (… FROM TUMBLE(person, 10 s) GROUP BY id, name, …) P
//! JOIN (… FROM TUMBLE(auction, 10 s) GROUP BY seller, …) A
//! ON P.id = A.seller AND P.ws = A.ws AND P.we = A.we
//! ```
//!
//! One window sees both sides and knows whether it has met both; a row is emitted at its end.

use std::borrow::Cow;
use std::time::Duration;

use headwater::connectors::nexmark::Event;
use headwater::prelude::*;

const SIZE: Duration = secs(10);

/// Somebody who opened an auction within the window in which they registered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct NewSeller {
    pub(super) id: u64,
    pub(super) name: Cow<'static, str>,
    pub(super) window_start: EventTime,
}

/// What happened to a person: registered, with a name, or opened an auction.
#[derive(Clone, Serialize, Deserialize)]
struct Happened {
    person: u64,
    registered: Option<Cow<'static, str>>,
}

pub(super) fn q8(events: &Stream<Event>) -> Stream<NewSeller> {
    events
        .flat_map(|event| match event {
            Event::Person(p) => Some(Happened { person: p.id, registered: Some(p.name) }),
            Event::Auction(a) => Some(Happened { person: a.seller, registered: None }),
            Event::Bid(_) => None,
        })
        .key_by(|happened| happened.person)
        .window(Tumbling::of(SIZE))
        .aggregate("new people and sellers", RegisteredAndSold)
        .results()
        .flat_map(|w| {
            w.value.map(|name| NewSeller { id: w.key, name, window_start: w.window.start })
        })
}

struct RegisteredAndSold;

/// The two sides as far as they were met.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Met {
    name: Option<Cow<'static, str>>,
    sold: bool,
}

impl Aggregate for RegisteredAndSold {
    type In = Happened;
    type Acc = Met;
    type Out = Option<Cow<'static, str>>;

    fn create(&self) -> Met {
        Met::default()
    }

    fn add(&self, met: &mut Met, happened: &Timed<Happened>) -> Result<()> {
        match &happened.value.registered {
            Some(name) => met.name = Some(name.clone()),
            None => met.sold = true,
        }
        Ok(())
    }

    fn merge(&self, met: &mut Met, later: &Met) -> Result<()> {
        met.sold |= later.sold;
        if later.name.is_some() {
            met.name.clone_from(&later.name);
        }
        Ok(())
    }

    fn finish(&self, met: &Met) -> Result<Self::Out> {
        Ok(met.name.clone().filter(|_| met.sold))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::model::{auctions, check, persons, sorted};
    use super::*;

    #[test]
    fn people_who_sold_in_the_window_they_came_in() {
        check(q8, |events, rows| {
            let start = |at: EventTime| EventTime(at.0.div_euclid(10_000) * 10_000);
            let sold: HashSet<_> =
                auctions(events).map(|a| (a.seller, start(a.date_time))).collect();
            let wanted = persons(events).map(|p| (p.id, start(p.date_time), p.name.clone()));
            let wanted = wanted.filter(|(id, window, _)| sold.contains(&(*id, *window)));
            let wanted =
                sorted(wanted.map(|(id, window_start, name)| NewSeller { id, name, window_start }));
            assert!(wanted.len() > 100);
            assert_eq!(sorted(rows), wanted);
        });
    }
}
