//! The three kinds of Nexmark events and the enum that carries them in one stream.
//!
//! Texts are `Cow<'static, str>`: a generated event borrows its channel, URL, city, state and
//! filler texts from pools that live as long as the program, so that a generated [`Bid`] allocates
//! nothing; name, email address and credit card of a [`Person`] are owned. A decoded event owns all
//! its texts. Equality, hashing and encoding see the text only, never who owns it.
//!
//! Invariant: [`Event`] is no larger than a [`Bid`], 46 of 50 events; the two others are boxed.
//!
//! What this does not do: tell how values are distributed (see [`super::generate`]).

use std::borrow::Cow;

use headwater_core::EventTime;
use serde::{Deserialize, Serialize};

/// One event of the auction house.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Event {
    /// A person registered.
    Person(Box<Person>),
    /// An auction was opened.
    Auction(Box<Auction>),
    /// Somebody bid in an auction.
    Bid(Bid),
}

/// Which of the three kinds an [`Event`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EventKind {
    /// [`Event::Person`].
    Person,
    /// [`Event::Auction`].
    Auction,
    /// [`Event::Bid`].
    Bid,
}

/// Somebody who may open auctions and bid.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Person {
    /// Unique id, ascending from 1000.
    pub id: u64,
    /// First and last name.
    pub name: Cow<'static, str>,
    /// Email address.
    #[serde(alias = "emailAddress")]
    pub email_address: Cow<'static, str>,
    /// Credit card number, four groups of four digits.
    #[serde(alias = "creditCard")]
    pub credit_card: Cow<'static, str>,
    /// City.
    pub city: Cow<'static, str>,
    /// Two-letter code of the state.
    pub state: Cow<'static, str>,
    /// When the person registered, in event time.
    #[serde(alias = "dateTime")]
    pub date_time: EventTime,
    /// Filler that brings the event to its average size.
    pub extra: Cow<'static, str>,
}

/// An item for sale.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Auction {
    /// Unique id, ascending from 1000.
    pub id: u64,
    /// Name of the item.
    #[serde(alias = "itemName")]
    pub item_name: Cow<'static, str>,
    /// Description of the item.
    pub description: Cow<'static, str>,
    /// Where bidding starts, in cents.
    #[serde(alias = "initialBid")]
    pub initial_bid: u64,
    /// The least price the seller accepts, in cents.
    pub reserve: u64,
    /// When the auction was opened, in event time.
    #[serde(alias = "dateTime")]
    pub date_time: EventTime,
    /// When the auction ends, in event time; later than `date_time`.
    pub expires: EventTime,
    /// The [`Person`] who sells.
    pub seller: u64,
    /// Category of the item, 10 to 14.
    pub category: u64,
    /// Filler that brings the event to its average size.
    pub extra: Cow<'static, str>,
}

/// An offer in an auction.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Bid {
    /// The [`Auction`] that is bid in; may be a few ids ahead of the last one opened.
    pub auction: u64,
    /// The [`Person`] who bids; may be a few ids ahead of the last one registered.
    pub bidder: u64,
    /// The offer, in cents.
    pub price: u64,
    /// Where the bidder came from: one of four well-known names or `channel-0` to `channel-9999`.
    pub channel: Cow<'static, str>,
    /// The page the bid was made on; its query part names the channel for nine channels in ten.
    pub url: Cow<'static, str>,
    /// When the bid was made, in event time.
    #[serde(alias = "dateTime")]
    pub date_time: EventTime,
    /// Filler that brings the event to its average size.
    pub extra: Cow<'static, str>,
}

impl Event {
    /// Which of the three kinds this is.
    pub fn kind(&self) -> EventKind {
        match self {
            Event::Person(_) => EventKind::Person,
            Event::Auction(_) => EventKind::Auction,
            Event::Bid(_) => EventKind::Bid,
        }
    }

    /// When it happened, in event time.
    pub fn time(&self) -> EventTime {
        match self {
            Event::Person(person) => person.date_time,
            Event::Auction(auction) => auction.date_time,
            Event::Bid(bid) => bid.date_time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nexmark::NexmarkGenerator;

    #[test]
    fn an_event_is_as_small_as_a_bid() {
        assert_eq!(size_of::<Event>(), size_of::<Bid>());
    }

    #[test]
    fn decoded_events_equal_the_generated_ones_and_own_their_texts() {
        let generator = NexmarkGenerator::default();
        for n in 0..100 {
            let event = generator.event(n);
            let bytes = headwater_core::codec::encode(&event).unwrap();
            assert_eq!(headwater_core::codec::decode::<Event>(&bytes).unwrap(), event);
            let json = serde_json::to_string(&event).unwrap();
            let decoded: Event = serde_json::from_str(&json).unwrap();
            assert_eq!(decoded, event);
            if let (Event::Bid(generated), Event::Bid(decoded)) = (event, decoded) {
                assert!(matches!(generated.url, Cow::Borrowed(_)));
                assert!(matches!(decoded.url, Cow::Owned(_)));
            }
        }
    }

    #[test]
    fn the_field_names_of_other_engines_are_read() {
        let json = r#"{"auction":1000,"bidder":1001,"price":267,"channel":"Apple","url":"u",
            "dateTime":1700000000000,"extra":""}"#;
        let bid: Bid = serde_json::from_str(json).unwrap();
        assert_eq!((bid.price, bid.date_time), (267, EventTime(1_700_000_000_000)));
    }
}
