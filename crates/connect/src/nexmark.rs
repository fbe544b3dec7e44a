//! Nexmark: the events of an online auction, the field's standard load for stream processors.
//!
//! Three kinds of events share one stream: a person registers, opens auctions, and others bid.
//! Event `n` is a **pure function of `n`** and of the [`NexmarkConfig`]: a reader can start
//! anywhere, many readers can share the numbers among them, and a restart at `n` continues with the
//! very same events. With the default configuration the stream is bit for bit the one that the
//! other engines were measured with.
//!
//! - [`event`]: what an auction house sends: [`Event`], [`Person`], [`Auction`], [`Bid`].
//! - [`generate`]: from a number to its event: [`NexmarkConfig`], [`NexmarkGenerator`].
//! - [`source`]: the stream as a source: [`nexmark()`].
//! - `pool`: the random numbers, and the texts that events borrow instead of allocating.
//!
//! Invariants: event times never decrease with `n`; the draws of an event depend on no other event.
//!
//! What this does not do: read a clock, pace the stream, disorder it, or hand out splits; that is
//! the source's part.
//!
//! # Source
//! Nexmark (Tucker, Tufte, Papadimos, Maier: a benchmark for queries over data streams); ratios and
//! sizes are those of the generator in Apache Beam and Flink. The random numbers and the texts are
//! not, so single values differ while distributions agree.

pub mod event;
pub mod generate;
mod pool;
pub mod source;

pub use event::{Auction, Bid, Event, EventKind, Person};
pub use generate::{BidFields, NexmarkConfig, NexmarkGenerator};
pub use source::{Nexmark, nexmark};

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use headwater_core::EventTime;

    use super::*;

    /// A step of the folds below, whose results the generator that feeds the other engines shares.
    fn fold(hash: u64, value: u64) -> u64 {
        hash.wrapping_mul(31).wrapping_add(value)
    }

    #[test]
    fn five_million_events_are_those_of_the_shared_stream() {
        let generator = NexmarkGenerator::default();
        let (mut hash, mut persons, mut auctions, mut bids) = (0, 0, 0, 0);
        for n in 0..5_000_000 {
            let value = match generator.event(n) {
                Event::Person(person) => {
                    persons += 1;
                    person.id + person.extra.len() as u64
                }
                Event::Auction(auction) => {
                    auctions += 1;
                    let numbers = auction.id + auction.seller * 7 + auction.initial_bid;
                    numbers + auction.expires.0 as u64 + auction.extra.len() as u64
                }
                Event::Bid(bid) => {
                    bids += 1;
                    bid.auction + bid.bidder * 7 + bid.price + bid.extra.len() as u64
                }
            };
            hash = fold(hash, value);
        }
        assert_eq!((persons, auctions, bids), (100_000, 300_000, 4_600_000));
        assert_eq!(hash, 4_021_853_074_487_329_833);
    }

    #[test]
    fn every_field_is_that_of_the_shared_stream() {
        let generator = NexmarkGenerator::default();
        let mut hash = 0;
        for n in 0..200_000 {
            let event = generator.event(n);
            hash = fold(hash, event.time().0 as u64);
            let (numbers, texts) = match &event {
                Event::Person(p) => {
                    let texts = [&p.name, &p.email_address, &p.credit_card, &p.city, &p.state];
                    hash = fold(hash, p.id);
                    (vec![], [texts.as_slice(), &[&p.extra]].concat())
                }
                Event::Auction(a) => {
                    hash = fold(hash, a.id);
                    hash = [&a.item_name, &a.description]
                        .into_iter()
                        .fold(hash, |hash, text| fold_text(hash, text));
                    let expires = a.expires.0 as u64;
                    let numbers = [a.initial_bid, a.reserve, expires, a.seller, a.category];
                    (numbers.to_vec(), vec![&a.extra])
                }
                Event::Bid(b) => {
                    (vec![b.auction, b.bidder, b.price], vec![&b.channel, &b.url, &b.extra])
                }
            };
            hash = numbers.into_iter().fold(hash, fold);
            hash = texts.into_iter().fold(hash, |hash, text| fold_text(hash, text));
        }
        assert_eq!(hash, 4_382_217_333_211_713_980);
    }

    fn fold_text(hash: u64, text: &str) -> u64 {
        text.bytes().map(u64::from).fold(fold(hash, text.len() as u64), fold)
    }

    #[test]
    fn a_value_out_of_range_is_named() {
        let message = |config| NexmarkGenerator::new(config).map(drop).unwrap_err().to_string();
        let default = NexmarkConfig::default();
        assert_eq!(
            message(NexmarkConfig { person_proportion: 0, ..default.clone() }),
            "nexmark: person_proportion must be 1 to 1073741824, got 0"
        );
        assert_eq!(
            message(NexmarkConfig { events_per_second: f64::NAN, ..default }),
            "nexmark: events_per_second must be positive and finite, got NaN"
        );
    }

    #[test]
    fn ratios_and_proportions_are_those_of_the_configuration() {
        let generator = NexmarkGenerator::new(NexmarkConfig {
            events_per_second: 1_000.0,
            first_event_time: EventTime(0),
            person_proportion: 2,
            auction_proportion: 3,
            bid_proportion: 5,
            hot_auction_ratio: 1,
            hot_bidders_ratio: 10,
            average_bid_bytes: 0,
            ..NexmarkConfig::default()
        })
        .unwrap();
        let (mut persons, mut auctions, mut hot_auction, mut hot_bidder) = (0, 0, 0, 0);
        for n in 0..100_000 {
            match generator.event(n) {
                Event::Person(person) => {
                    assert_eq!(person.id, 1000 + persons);
                    persons += 1;
                }
                Event::Auction(auction) => {
                    assert_eq!(auction.id, 1000 + auctions);
                    auctions += 1;
                }
                Event::Bid(bid) => {
                    hot_auction += u64::from(bid.auction % 100 == 0);
                    hot_bidder += u64::from(bid.bidder % 100 == 1);
                    assert_eq!((bid.date_time.0, &*bid.extra), (n as i64, ""));
                }
            }
        }
        assert_eq!((persons, auctions), (20_000, 30_000));
        assert!(hot_auction < 1_000, "no auction is hot, {hot_auction} of 50,000 bids");
        assert!((44_000..46_500).contains(&hot_bidder), "nine of ten bids, {hot_bidder}");
    }

    /// One line of an event; of its filler the length only.
    fn line(event: &Event) -> String {
        let ms = event.time().0 - 1_700_000_000_000;
        match event {
            Event::Person(p) => format!(
                "+{ms} person {} {}, {}, {}, {}, {}, {}",
                p.id,
                p.name,
                p.email_address,
                p.credit_card,
                p.city,
                p.state,
                p.extra.len()
            ),
            Event::Auction(a) => format!(
                "+{ms} auction {} {} ({}) {}..{} for {} ms, by {}, in {}, {}",
                a.id,
                a.item_name,
                a.description.len(),
                a.initial_bid,
                a.reserve,
                a.expires.0 - a.date_time.0,
                a.seller,
                a.category,
                a.extra.len()
            ),
            Event::Bid(b) => {
                let page = b.url.trim_start_matches("https://www.nexmark.com/");
                let extra = b.extra.len();
                format!(
                    "+{ms} bid {} {} {} {} {page} {extra}",
                    b.auction, b.bidder, b.price, b.channel
                )
            }
        }
    }

    #[test]
    fn the_first_events() {
        let generator = NexmarkGenerator::default();
        let lines: Vec<String> = (0..60).map(|n| line(&generator.event(n))).collect();
        expect![[r#"
            +0 person 1000 Bo Elm, efmjmzs@tztw.com, 1173 3836 1136 5145, Portland, WY, 144
            +0 auction 1000 ujljzzqwatns (77) 552258..933153 for 7 ms, by 1000, in 11, 370
            +0 auction 1001 ixvmonxwqhu (72) 170..4508089 for 10 ms, by 1000, in 10, 441
            +0 auction 1002 mvenlspxwr (77) 2441..4484 for 21 ms, by 1000, in 12, 428
            +0 bid 1000 1001 60104870 channel-8365 sfxvo/ojjth/wjkqy/item.htm?query=1&channel_id=8365 73
            +0 bid 1004 1001 10451653 channel-5520 dkeme/sxfko/ypqyn/item.htm?query=1 75
            +0 bid 1011 1001 267 channel-6143 sjxra/sqkxe/ixwpk/item.htm?query=1&channel_id=6143 74
            +0 bid 1001 1006 21501210 channel-3576 bvtfc/oektu/qmsus/item.htm?query=1&channel_id=3576 78
            +0 bid 1007 1001 42223128 channel-7447 hxmjz/suagk/cynfd/item.htm?query=1&channel_id=7447 81
            +0 bid 1000 1001 623 channel-146 snbgp/mgfac/dkeey/item.htm?query=1&channel_id=146 73
            +0 bid 1000 1001 15456007 channel-2000 uizug/akkuh/bafau/item.htm?query=1 60
            +0 bid 1010 1001 8833738 channel-9021 whihw/olcvj/jjeig/item.htm?query=1&channel_id=9021 78
            +0 bid 1000 1004 3050801 Google mtvvb/tnrfe/dtllk/item.htm?query=1 68
            +0 bid 1000 1007 173492 Google mtvvb/tnrfe/dtllk/item.htm?query=1 59
            +0 bid 1004 1001 15375433 channel-3811 lnxey/jtesd/nnlqh/item.htm?query=1&channel_id=3811 56
            +0 bid 1000 1002 16129203 Facebook jypnb/cpgyj/qttie/item.htm?query=1 57
            +0 bid 1007 1001 7541112 Google mtvvb/tnrfe/dtllk/item.htm?query=1 63
            +0 bid 1007 1001 687986 channel-9836 fhgeg/gulig/mduew/item.htm?query=1&channel_id=9836 63
            +0 bid 1012 1001 870 channel-6869 daihp/impyb/vcavy/item.htm?query=1&channel_id=6869 71
            +0 bid 1001 1001 71034814 Baidu qqikh/twycd/jhtrz/item.htm?query=1 57
            +0 bid 1012 1001 14200219 channel-4500 zxnaq/ovffq/jdcac/item.htm?query=1 68
            +0 bid 1000 1001 35185 channel-8662 usjpz/ysrgo/vkmng/item.htm?query=1&channel_id=8662 70
            +0 bid 1001 1001 1622882 Facebook jypnb/cpgyj/qttie/item.htm?query=1 71
            +0 bid 1003 1001 41493 channel-8897 xldqi/mgiuc/jqynd/item.htm?query=1&channel_id=8897 54
            +0 bid 1010 1001 22649494 channel-4820 wkzox/orbqq/pfpev/item.htm?query=1 65
            +0 bid 1000 1010 1489 Baidu qqikh/twycd/jhtrz/item.htm?query=1 65
            +0 bid 1010 1001 364 Facebook jypnb/cpgyj/qttie/item.htm?query=1 61
            +0 bid 1012 1001 138957 Apple yoqkx/dzwaa/fqera/item.htm?query=1 65
            +0 bid 1000 1001 29137727 channel-7969 hdatu/xiycd/rjumy/item.htm?query=1&channel_id=7969 74
            +0 bid 1009 1001 294410 channel-1863 lndtd/krkyh/cvekx/item.htm?query=1&channel_id=1863 57
            +0 bid 1008 1001 9235948 channel-9955 prplm/dacug/mmayg/item.htm?query=1&channel_id=9955 65
            +0 bid 1000 1001 358 channel-958 xuvtq/dpyaz/liddb/item.htm?query=1&channel_id=958 81
            +0 bid 1000 1001 31225769 channel-3467 qkdjq/wxmcd/itnoy/item.htm?query=1&channel_id=3467 81
            +0 bid 1000 1001 7309258 channel-8968 gfrvs/fvrat/vreub/item.htm?query=1&channel_id=8968 73
            +0 bid 1000 1010 13174545 Google mtvvb/tnrfe/dtllk/item.htm?query=1 59
            +0 bid 1010 1001 199263 channel-4014 cpfcw/oqtmr/kkedl/item.htm?query=1&channel_id=4014 57
            +0 bid 1005 1001 5309064 Baidu qqikh/twycd/jhtrz/item.htm?query=1 60
            +0 bid 1002 1001 315 Google mtvvb/tnrfe/dtllk/item.htm?query=1 55
            +0 bid 1000 1001 192 Apple yoqkx/dzwaa/fqera/item.htm?query=1 76
            +0 bid 1006 1001 32313 Apple yoqkx/dzwaa/fqera/item.htm?query=1 77
            +0 bid 1000 1001 5882 Apple yoqkx/dzwaa/fqera/item.htm?query=1 56
            +0 bid 1001 1001 377196 channel-5749 pymmc/rfgji/bmskb/item.htm?query=1&channel_id=5749 59
            +0 bid 1012 1001 1186 channel-1238 nrinz/ystex/gkkuy/item.htm?query=1&channel_id=1238 57
            +0 bid 1007 1002 77008 Google mtvvb/tnrfe/dtllk/item.htm?query=1 70
            +0 bid 1002 1000 1066 Apple yoqkx/dzwaa/fqera/item.htm?query=1 54
            +0 bid 1003 1001 3891 Google mtvvb/tnrfe/dtllk/item.htm?query=1 61
            +0 bid 1004 1001 101 channel-8916 raenk/okmey/olvcx/item.htm?query=1&channel_id=8916 58
            +0 bid 1006 1001 9467 Google mtvvb/tnrfe/dtllk/item.htm?query=1 81
            +0 bid 1008 1001 1183 Google mtvvb/tnrfe/dtllk/item.htm?query=1 71
            +0 bid 1002 1001 2255384 Apple yoqkx/dzwaa/fqera/item.htm?query=1 58
            +0 person 1001 Hal Elm, oghvfmk@chbb.com, 5363 1325 6427 8771, Bend, OR, 152
            +0 auction 1003 nmjoymdblobszpwwfuz (70) 215265..10087933 for 19 ms, by 1000, in 11, 419
            +0 auction 1004 kcxuvtqljstfi (93) 593..1088043 for 22 ms, by 1000, in 12, 281
            +0 auction 1005 ctekbtzgjplaodp (79) 889..19907749 for 3 ms, by 1000, in 14, 337
            +0 bid 1005 1001 9886 Facebook jypnb/cpgyj/qttie/item.htm?query=1 72
            +0 bid 1000 1001 29582 channel-8206 jwemu/bswik/bxnwf/item.htm?query=1&channel_id=8206 55
            +0 bid 1010 1001 173549 channel-6852 jfbvf/hlijz/mbqss/item.htm?query=1&channel_id=6852 66
            +0 bid 1000 1001 28410 channel-8961 gnrow/agxdi/nqelh/item.htm?query=1&channel_id=8961 60
            +0 bid 1000 1008 8204572 Facebook jypnb/cpgyj/qttie/item.htm?query=1 71
            +0 bid 1000 1001 31079 channel-7065 rixov/yvcid/dvibe/item.htm?query=1&channel_id=7065 78"#]].assert_eq(&lines.join("\n"));
    }
}
