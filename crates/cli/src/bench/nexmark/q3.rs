//! q3: who sells in three states.
//!
//! ```sql
//! SELECT P.name, P.city, P.state, A.id FROM auction AS A JOIN person AS P ON A.seller = P.id
//! WHERE A.category = 10 AND (P.state = 'OR' OR P.state = 'ID' OR P.state = 'CA')
//! ```
//!
//! A row is emitted as soon as both sides are known, whichever comes first. State: the person, or
//! the auctions that wait for it, for ever; nothing in the query says when a join is over.

use std::borrow::Cow;

use headwater::connectors::nexmark::{Event, Person};
use headwater::prelude::*;

/// Somebody in one of the three states, with an auction of category 10.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct LocalSale {
    pub(super) name: Cow<'static, str>,
    pub(super) city: Cow<'static, str>,
    pub(super) state: Cow<'static, str>,
    pub(super) auction: u64,
}

/// What the join gets.
#[derive(Clone, Serialize, Deserialize)]
enum Side {
    Person(Box<Person>),
    Auction { id: u64, seller: u64 },
}

pub(super) fn q3(events: &Stream<Event>) -> Stream<LocalSale> {
    events
        .flat_map(|event| match event {
            Event::Person(person) if matches!(&*person.state, "OR" | "ID" | "CA") => {
                Some(Side::Person(person))
            }
            Event::Auction(auction) if auction.category == 10 => {
                Some(Side::Auction { id: auction.id, seller: auction.seller })
            }
            _ => None,
        })
        .key_by(|side| match side {
            Side::Person(person) => person.id,
            Side::Auction { seller, .. } => *seller,
        })
        .process("sellers and auctions", JoinSellers)
        .out()
}

/// Auctions whose seller is not known.
const WAITING: ListState<u64> = ListState::new("waiting auctions");

struct JoinSellers;

impl Process for JoinSellers {
    type Key = u64;
    type In = Side;
    type Out = LocalSale;
    /// The person, once known, as a row without its auction.
    type State = Option<LocalSale>;

    fn declare(&self, states: &mut States<Self>) {
        states.list(&WAITING);
    }

    fn process(&self, cx: &mut Cx<'_, Self>, side: Side) -> Result<()> {
        match side {
            Side::Person(person) => {
                let Person { name, city, state, .. } = *person;
                let seller = LocalSale { name, city, state, auction: 0 };
                let waiting: Vec<u64> = cx.list(&WAITING).iter()?.copied().collect();
                cx.list(&WAITING).clear()?;
                for auction in waiting {
                    cx.emit(LocalSale { auction, ..seller.clone() });
                }
                *cx.state() = Some(seller);
            }
            Side::Auction { id, .. } => match cx.state_ref().cloned().flatten() {
                Some(seller) => cx.emit(LocalSale { auction: id, ..seller }),
                None => cx.list(&WAITING).push(id)?,
            },
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::model::{auctions, check, persons, sorted};
    use super::*;

    #[test]
    fn sellers_meet_their_auctions_in_either_order() {
        check(q3, |events, rows| {
            let local = persons(events).filter(|p| ["OR", "ID", "CA"].contains(&&*p.state));
            let local: HashMap<u64, &Person> = local.map(|p| (p.id, p)).collect();
            let wanted = auctions(events).filter(|a| a.category == 10).filter_map(|a| {
                let p = local.get(&a.seller)?;
                let (name, city, state) = (p.name.clone(), p.city.clone(), p.state.clone());
                Some(LocalSale { name, city, state, auction: a.id })
            });
            let wanted = sorted(wanted);
            assert!(wanted.len() > 100);
            assert_eq!(sorted(rows), wanted);
        });
    }
}
