//! From an event's number to the event: the configuration and the generator.
//!
//! Events come in rounds of, by default, 50: first a person, then three auctions, then 46 bids.
//! From the number follow the kind, the event time, and how many people and auctions exist by then;
//! all else is drawn at random from a seed that is the number. Activity is skewed as in the real
//! thing: half of the bids go to one hot auction, most bids and auctions are those of one hot
//! person, and who is hot changes with every hundredth id.
//!
//! Invariant: the order of draws in `person`, `auction` and `bid` is part of the stream's
//! definition; reordering two statements changes every event.
//!
//! What this does not do: hold a position. The generator is immutable and cheap to copy.

use std::borrow::Cow;

use headwater_core::{Error, EventTime, Result};
use serde::{Deserialize, Serialize};

use super::event::{Auction, Bid, Event, EventKind, Person};
use super::pool::{CITIES, Draws, FIRST_NAMES, Filler, LAST_NAMES, MAX_TEXT, Pool, STATES};

const FIRST_ID: u64 = 1000;
const FIRST_CATEGORY: u64 = 10;
const CATEGORIES: u32 = 5;
/// Every how many ids the hot person and the hot auction change.
const HOT_EVERY: u64 = 100;
/// How many ids ahead of the last existing one a reference may point.
const LEAD: u32 = 10;
/// Bounds every count, so that no arithmetic on event numbers can overflow.
const MAX_COUNT: u32 = 1 << 30;
/// What the fixed-size fields of an auction and a bid count as, in bytes.
const AUCTION_FIXED_BYTES: u32 = 8 + 40;
const BID_FIXED_BYTES: u32 = 32;

/// What the stream looks like; the default is the published mix at 100,000 events per second.
///
/// # Examples
/// ```
/// use headwater_connect::nexmark::{NexmarkConfig, NexmarkGenerator};
///
/// let config = NexmarkConfig { events_per_second: 1_000.0, ..NexmarkConfig::default() };
/// let generator = NexmarkGenerator::new(config)?;
/// assert_eq!(generator.time(1_000), generator.time(0) + std::time::Duration::from_secs(1));
/// # Ok::<(), headwater_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NexmarkConfig {
    /// Events per second of event time (not of the clock); positive. 100,000 by default.
    pub events_per_second: f64,
    /// Event time of event 0; 1,700,000,000,000 ms by default.
    pub first_event_time: EventTime,
    /// Persons in a round of events; at least 1. 1 by default.
    pub person_proportion: u32,
    /// Auctions in a round of events; at least 1. 3 by default.
    pub auction_proportion: u32,
    /// Bids in a round of events. 46 by default.
    pub bid_proportion: u32,
    /// One bid in this many goes to a random auction, the others to the hot one; 1 means that no
    /// auction is hot. 2 by default.
    pub hot_auction_ratio: u32,
    /// One bid in this many is by a random person, the others by the hot one. 4 by default.
    pub hot_bidders_ratio: u32,
    /// One auction in this many is by a random person, the others by the hot one. 4 by default.
    pub hot_sellers_ratio: u32,
    /// How many auctions are open at a time, which decides how long one lasts. 100 by default.
    pub in_flight_auctions: u32,
    /// How many of the last registered people still bid and sell; at least 1. 1000 by default.
    pub active_people: u32,
    /// Average size of a person, as Nexmark counts it, in bytes. 200 by default.
    pub average_person_bytes: u32,
    /// Average size of an auction, as Nexmark counts it, in bytes. 500 by default.
    pub average_auction_bytes: u32,
    /// Average size of a bid, as Nexmark counts it, in bytes. 100 by default.
    pub average_bid_bytes: u32,
}

impl Default for NexmarkConfig {
    fn default() -> Self {
        NexmarkConfig {
            events_per_second: 100_000.0,
            first_event_time: EventTime(1_700_000_000_000),
            person_proportion: 1,
            auction_proportion: 3,
            bid_proportion: 46,
            hot_auction_ratio: 2,
            hot_bidders_ratio: 4,
            hot_sellers_ratio: 4,
            in_flight_auctions: 100,
            active_people: 1000,
            average_person_bytes: 200,
            average_auction_bytes: 500,
            average_bid_bytes: 100,
        }
    }
}

impl NexmarkConfig {
    /// Checks that a stream can be made of it.
    ///
    /// # Errors
    /// `Config` when a value lies outside its range; the message names the field.
    pub fn validate(&self) -> Result<()> {
        let rate = self.events_per_second;
        if !(rate.is_finite() && rate > 0.0) {
            return Err(Error::config(format!(
                "nexmark: events_per_second must be positive and finite, got {rate}"
            ))
            .hint("it is the rate in event time, for example 100000.0"));
        }
        // Half, because fillers are up to a fifth longer than average.
        let texts = MAX_TEXT / 2;
        for (field, value, least, most) in [
            ("person_proportion", self.person_proportion, 1, MAX_COUNT),
            ("auction_proportion", self.auction_proportion, 1, MAX_COUNT),
            ("bid_proportion", self.bid_proportion, 0, MAX_COUNT),
            ("hot_auction_ratio", self.hot_auction_ratio, 1, MAX_COUNT),
            ("hot_bidders_ratio", self.hot_bidders_ratio, 1, MAX_COUNT),
            ("hot_sellers_ratio", self.hot_sellers_ratio, 1, MAX_COUNT),
            ("in_flight_auctions", self.in_flight_auctions, 0, MAX_COUNT),
            ("active_people", self.active_people, 1, MAX_COUNT),
            ("average_person_bytes", self.average_person_bytes, 0, texts),
            ("average_auction_bytes", self.average_auction_bytes, 0, texts),
            ("average_bid_bytes", self.average_bid_bytes, 0, texts),
        ] {
            if !(least..=most).contains(&value) {
                return Err(Error::config(format!(
                    "nexmark: {field} must be {least} to {most}, got {value}"
                ))
                .hint("leave it out to use the published value"));
            }
        }
        Ok(())
    }
}

/// Makes event `n` from the number `n` alone.
///
/// Units: numbers from 0; event times in ms, never decreasing with `n`. Numbers below 2^53 are
/// exact; beyond, and at the end of event time, times are rounded and saturate.
///
/// # Examples
/// ```
/// use headwater_connect::nexmark::{Event, EventKind, NexmarkGenerator};
///
/// let generator = NexmarkGenerator::default();
/// assert_eq!(generator.kind(4), EventKind::Bid);
/// let Event::Bid(bid) = generator.event(4) else { unreachable!() };
/// assert_eq!((bid.auction, bid.bidder, &*bid.channel), (1000, 1001, "channel-8365"));
/// ```
#[derive(Clone)]
pub struct NexmarkGenerator {
    config: NexmarkConfig,
    inter_event_us: f64,
    round: u64,
    bid_filler: Option<Filler>,
    pool: &'static Pool,
}

impl Default for NexmarkGenerator {
    /// The generator of the shared stream: that of the default configuration.
    fn default() -> Self {
        Self::checked(NexmarkConfig::default())
    }
}

impl std::fmt::Debug for NexmarkGenerator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("NexmarkGenerator").field(&self.config).finish()
    }
}

/// Which of a bid's costlier fields are made; the others are 0 or empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BidFields {
    /// The price.
    pub price: bool,
    /// Channel and URL.
    pub channel: bool,
    /// The filler.
    pub extra: bool,
}

impl BidFields {
    /// All of them.
    pub const ALL: BidFields = BidFields { price: true, channel: true, extra: true };
    /// None of them: auction, bidder and time only.
    pub const NONE: BidFields = BidFields { price: false, channel: false, extra: false };
}

/// Where in the stream an event lies: in which round, and where in that round.
#[derive(Clone, Copy)]
struct Place {
    n: u64,
    round: u64,
    offset: u64,
}

impl NexmarkGenerator {
    /// Creates the generator of a configuration.
    ///
    /// # Errors
    /// `Config` when a value lies outside its range ([`NexmarkConfig::validate`]).
    pub fn new(config: NexmarkConfig) -> Result<Self> {
        config.validate()?;
        Ok(Self::checked(config))
    }

    fn checked(config: NexmarkConfig) -> Self {
        let proportions =
            [config.person_proportion, config.auction_proportion, config.bid_proportion];
        NexmarkGenerator {
            inter_event_us: 1e6 / config.events_per_second,
            round: proportions.into_iter().map(u64::from).sum(),
            bid_filler: Filler::reaching(config.average_bid_bytes, BID_FIXED_BYTES),
            pool: Pool::shared(),
            config,
        }
    }

    /// The configuration.
    pub fn config(&self) -> &NexmarkConfig {
        &self.config
    }

    /// Event `n`.
    #[inline]
    pub fn event(&self, n: u64) -> Event {
        let place = self.place(n);
        let mut draws = Draws::of_event(n);
        match self.kind_at(place) {
            EventKind::Bid => Event::Bid(self.bid_at(place, &mut draws, BidFields::ALL)),
            EventKind::Auction => Event::Auction(Box::new(self.auction(place, &mut draws))),
            EventKind::Person => Event::Person(Box::new(self.person(place, &mut draws))),
        }
    }

    /// The bid that event `n` is, with the fields that are asked for; none if it is no bid.
    ///
    /// # Examples
    /// ```
    /// use headwater_connect::nexmark::{BidFields, NexmarkGenerator};
    ///
    /// let fields = BidFields { price: true, ..BidFields::NONE };
    /// let bid = NexmarkGenerator::default().bid(4, fields).unwrap();
    /// assert_eq!((bid.auction, bid.price, &*bid.url), (1000, 60104870, ""));
    /// ```
    #[inline]
    pub fn bid(&self, n: u64, fields: BidFields) -> Option<Bid> {
        let place = self.place(n);
        let is_bid = self.kind_at(place) == EventKind::Bid;
        is_bid.then(|| self.bid_at(place, &mut Draws::of_event(n), fields))
    }

    /// The event time of event `n`.
    #[inline]
    pub fn time(&self, n: u64) -> EventTime {
        // Signed, because the processor converts signed integers faster.
        let n = i64::try_from(n).unwrap_or(i64::MAX);
        let since_first = (n as f64 * self.inter_event_us) as i64 / 1000;
        EventTime(self.config.first_event_time.0.saturating_add(since_first))
    }

    /// The kind of event `n`.
    #[inline]
    pub fn kind(&self, n: u64) -> EventKind {
        self.kind_at(self.place(n))
    }

    #[inline]
    fn place(&self, n: u64) -> Place {
        Place { n, round: n / self.round, offset: n % self.round }
    }

    #[inline]
    fn kind_at(&self, place: Place) -> EventKind {
        let persons = u64::from(self.config.person_proportion);
        let auctions = u64::from(self.config.auction_proportion);
        if place.offset >= persons + auctions {
            EventKind::Bid
        } else if place.offset >= persons {
            EventKind::Auction
        } else {
            EventKind::Person
        }
    }

    /// Which person, counted from 0, was the last to register by then.
    #[inline]
    fn last_person(&self, place: Place) -> u64 {
        let persons = u64::from(self.config.person_proportion);
        place.round * persons + place.offset.min(persons - 1)
    }

    /// Which auction, counted from 0, was the last to be opened by then; not for a person's place,
    /// where there may be none.
    #[inline]
    fn last_auction(&self, place: Place) -> u64 {
        let auctions = u64::from(self.config.auction_proportion);
        let offset = place.offset - u64::from(self.config.person_proportion);
        place.round * auctions + offset.min(auctions - 1)
    }

    /// Some recent person, or one who will register soon.
    #[inline]
    fn some_person(&self, place: Place, draws: &mut Draws) -> u64 {
        let people = self.last_person(place) + 1;
        let active = people.min(u64::from(self.config.active_people)) as u32;
        people - u64::from(active) + u64::from(draws.below(active + LEAD))
    }

    fn person(&self, place: Place, draws: &mut Draws) -> Person {
        let first = draws.one_of(&FIRST_NAMES);
        let last = draws.one_of(&LAST_NAMES);
        let name = [first, " ", last].concat();
        let account = self.pool.text(7, draws);
        let host = self.pool.text(4, draws);
        let email_address = [account, "@", host, ".com"].concat();
        let credit_card = credit_card(draws);
        let city = draws.one_of(&CITIES);
        let state = draws.one_of(&STATES);
        let texts = [&name, &email_address, &credit_card, city, state];
        let current = 8 + texts.map(|text| text.len() as u32).iter().sum::<u32>();
        Person {
            id: self.last_person(place) + FIRST_ID,
            extra: self.filler(Filler::reaching(self.config.average_person_bytes, current), draws),
            date_time: self.time(place.n),
            name: name.into(),
            email_address: email_address.into(),
            credit_card: credit_card.into(),
            city: city.into(),
            state: state.into(),
        }
    }

    fn auction(&self, place: Place, draws: &mut Draws) -> Auction {
        let seller = if draws.below(self.config.hot_sellers_ratio) > 0 {
            self.last_person(place) / HOT_EVERY * HOT_EVERY
        } else {
            self.some_person(place, draws)
        };
        let category = FIRST_CATEGORY + u64::from(draws.below(CATEGORIES));
        let initial_bid = price(draws);
        let date_time = self.time(place.n);
        let expires = date_time.0.saturating_add(1 + self.duration_ms(place, date_time, draws));
        let name_len = 10 + draws.below(11);
        let item_name = self.pool.text(name_len, draws);
        let description_len = 50 + draws.below(51);
        let description = self.pool.text(description_len, draws);
        let reserve = initial_bid + price(draws);
        let current = AUCTION_FIXED_BYTES + name_len + description_len;
        Auction {
            id: self.last_auction(place) + FIRST_ID,
            item_name: item_name.into(),
            description: description.into(),
            initial_bid,
            reserve,
            date_time,
            expires: EventTime(expires),
            seller: seller + FIRST_ID,
            category,
            extra: self.filler(Filler::reaching(self.config.average_auction_bytes, current), draws),
        }
    }

    /// How long an auction lasts: on average as long as it takes to open `in_flight_auctions` more.
    fn duration_ms(&self, place: Place, start: EventTime, draws: &mut Draws) -> i64 {
        let auctions = u64::from(self.config.auction_proportion);
        let events = u64::from(self.config.in_flight_auctions) * self.round / auctions;
        let average = self.time(place.n.saturating_add(events)).0.saturating_sub(start.0);
        let bound = average.saturating_mul(2).clamp(1, i64::from(u32::MAX)) as u32;
        i64::from(draws.below(bound))
    }

    #[inline]
    fn bid_at(&self, place: Place, draws: &mut Draws, fields: BidFields) -> Bid {
        let last = self.last_auction(place);
        let auction = if draws.below(self.config.hot_auction_ratio) > 0 {
            last / HOT_EVERY * HOT_EVERY
        } else {
            let open = last.min(u64::from(self.config.in_flight_auctions)) as u32;
            last - u64::from(open) + u64::from(draws.below(open + 1 + LEAD))
        };
        let bidder = if draws.below(self.config.hot_bidders_ratio) > 0 {
            self.last_person(place) / HOT_EVERY * HOT_EVERY + 1
        } else {
            self.some_person(place, draws)
        };
        let price = if fields.price { price(draws) } else { draws.skip(1) };
        let (channel, url) = if fields.channel {
            let channel = self.pool.channel(draws);
            (&*channel.name, &*channel.url)
        } else {
            draws.skip(2);
            ("", "")
        };
        let filler = if fields.extra { self.bid_filler } else { None };
        Bid {
            auction: auction + FIRST_ID,
            bidder: bidder + FIRST_ID,
            price,
            channel: Cow::Borrowed(channel),
            url: Cow::Borrowed(url),
            date_time: self.time(place.n),
            extra: self.filler(filler, draws),
        }
    }

    #[inline]
    fn filler(&self, filler: Option<Filler>, draws: &mut Draws) -> Cow<'static, str> {
        Cow::Borrowed(filler.map_or("", |filler| filler.text(self.pool, draws)))
    }
}

/// A price in cents: 1 to 1,000,000 whole, its logarithm uniform.
#[inline]
fn price(draws: &mut Draws) -> u64 {
    // A power of two is twice as fast as one of ten and less than 1e-6 off, which changes the
    // rounded price only next to a boundary; there the definition decides.
    let exponent = draws.unit() * 6.0;
    let price = (exponent * std::f64::consts::LOG2_10).exp2() * 100.0 + 0.5;
    let rounded = price as u32;
    let fraction = price - f64::from(rounded);
    if (1e-6..=1.0 - 1e-6).contains(&fraction) { u64::from(rounded) } else { exact_price(exponent) }
}

/// The definition of a price.
#[cold]
#[inline(never)]
fn exact_price(exponent: f64) -> u64 {
    // Adding a half and cutting off is rounding here, because prices are far below 2^52.
    (10_f64.powf(exponent) * 100.0 + 0.5) as u64
}

/// Four groups of four digits.
fn credit_card(draws: &mut Draws) -> String {
    let mut text = String::with_capacity(19);
    for group in 0..4 {
        if group > 0 {
            text.push(' ');
        }
        let number = draws.below(10_000);
        for unit in [1000, 100, 10, 1] {
            text.push(char::from(b'0' + (number / unit % 10) as u8));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_field_that_is_not_asked_for_changes_no_other() {
        let generator = NexmarkGenerator::default();
        for n in 0..2_000 {
            let Event::Bid(whole) = generator.event(n) else {
                assert_eq!(generator.bid(n, BidFields::ALL), None);
                continue;
            };
            assert_eq!(generator.bid(n, BidFields::ALL), Some(whole.clone()));
            let extra = BidFields { extra: true, ..BidFields::NONE };
            let other = Bid { price: 0, channel: "".into(), url: "".into(), ..whole.clone() };
            assert_eq!(generator.bid(n, extra), Some(other));
            let channel = BidFields { channel: true, ..BidFields::NONE };
            let other = Bid { price: 0, extra: "".into(), ..whole };
            assert_eq!(generator.bid(n, channel), Some(other));
        }
    }

    #[test]
    fn prices_are_those_of_the_definition() {
        for n in 0..100_000 {
            let exponent = Draws::of_event(n).unit() * 6.0;
            assert_eq!(price(&mut Draws::of_event(n)), exact_price(exponent), "event {n}");
        }
    }

    prop_compose! {
        fn any_config()(
            events_per_second in prop_oneof![Just(f64::MIN_POSITIVE), Just(f64::MAX), 0.1..1e9],
            first in any::<i64>(),
            person_proportion in prop_oneof![1..5_u32, Just(MAX_COUNT)],
            auction_proportion in prop_oneof![1..5_u32, Just(MAX_COUNT)],
            bid_proportion in prop_oneof![0..50_u32, Just(MAX_COUNT)],
            hot_auction_ratio in 1..=MAX_COUNT,
            in_flight_auctions in prop_oneof![0..5_u32, Just(MAX_COUNT)],
            active_people in prop_oneof![1..5_u32, Just(MAX_COUNT)],
            average_auction_bytes in 0..=MAX_TEXT / 2,
        ) -> NexmarkConfig {
            NexmarkConfig {
                events_per_second,
                first_event_time: EventTime(first),
                person_proportion,
                auction_proportion,
                bid_proportion,
                hot_auction_ratio,
                in_flight_auctions,
                active_people,
                average_auction_bytes,
                ..NexmarkConfig::default()
            }
        }
    }

    proptest! {
        #[test]
        fn every_valid_configuration_makes_every_event(
            config in any_config(),
            n in prop_oneof![0..100_u64, any::<u64>(), u64::MAX - 100..=u64::MAX],
        ) {
            let generator = NexmarkGenerator::new(config).unwrap();
            for n in n..=n.saturating_add(60) {
                let event = generator.event(n);
                prop_assert_eq!(event.kind(), generator.kind(n));
                prop_assert_eq!(event.time(), generator.time(n));
                prop_assert!(event.time() <= generator.time(n.saturating_add(1)));
                if let Event::Auction(auction) = event {
                    let end = auction.expires;
                    prop_assert!(end > auction.date_time || end == EventTime::MAX);
                }
            }
        }
    }
}
