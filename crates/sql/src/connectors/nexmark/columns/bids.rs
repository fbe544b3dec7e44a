//! The columns of bids, filled as the bids are made.

use std::mem::take;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, StringArray};
use datafusion::arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use datafusion::arrow::datatypes::Fields;
use headwater_connect::nexmark::{Bid, BidFields};

/// Which columns of bids are wanted besides auction, bidder and time.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    price: bool,
    channel: bool,
    url: bool,
    extra: bool,
}

impl Wanted {
    /// None if times will do.
    pub(super) fn of(fields: &Fields) -> Option<Wanted> {
        let has = |name: &str| fields.iter().any(|field| field.name() == name);
        fields.iter().any(|field| field.name() != "dateTime").then(|| Wanted {
            price: has("price"),
            channel: has("channel"),
            url: has("url"),
            extra: has("extra"),
        })
    }

    /// What has to be made for them.
    pub(super) fn fields(self) -> BidFields {
        let Wanted { price, channel, url, extra } = self;
        BidFields { price, channel: channel || url, extra }
    }
}

/// For each event the fields of a bid, 0 and empty where it is none. Texts that nobody wants have no
/// column; numbers are always filled.
#[derive(Default)]
pub(super) struct Bids {
    auctions: Vec<i64>,
    bidders: Vec<i64>,
    prices: Vec<i64>,
    channels: Option<Texts>,
    urls: Option<Texts>,
    extras: Option<Texts>,
}

impl Bids {
    pub(super) fn with_capacity(rows: usize, wanted: Wanted) -> Self {
        let texts = |is_wanted: bool, len| is_wanted.then(|| Texts::with_capacity(rows, len));
        Bids {
            auctions: Vec::with_capacity(rows),
            bidders: Vec::with_capacity(rows),
            prices: Vec::with_capacity(rows),
            channels: texts(wanted.channel, 12),
            urls: texts(wanted.url, 72),
            extras: texts(wanted.extra, 72),
        }
    }

    /// Adds an event, which may be a bid.
    #[inline]
    pub(super) fn push(&mut self, bid: Option<&Bid>) {
        let number = |value: fn(&Bid) -> u64| bid.map_or(0, |bid| value(bid) as i64);
        self.auctions.push(number(|bid| bid.auction));
        self.bidders.push(number(|bid| bid.bidder));
        self.prices.push(number(|bid| bid.price));
        if let Some(channels) = &mut self.channels {
            channels.push(bid.map_or("", |bid| &bid.channel));
        }
        if let Some(urls) = &mut self.urls {
            urls.push(bid.map_or("", |bid| &bid.url));
        }
        if let Some(extras) = &mut self.extras {
            extras.push(bid.map_or("", |bid| &bid.extra));
        }
    }

    /// Takes the column of a field; none: the times, or one that was not wanted.
    pub(super) fn column(&mut self, field: &str, nulls: &NullBuffer) -> Option<ArrayRef> {
        let numbers = |values: &mut Vec<i64>| -> Option<ArrayRef> {
            Some(Arc::new(Int64Array::new(take(values).into(), Some(nulls.clone()))))
        };
        match field {
            "auction" => numbers(&mut self.auctions),
            "bidder" => numbers(&mut self.bidders),
            "price" => numbers(&mut self.prices),
            "channel" => self.channels.take()?.finish(nulls),
            "url" => self.urls.take()?.finish(nulls),
            "extra" => self.extras.take()?.finish(nulls),
            _ => None,
        }
    }
}

struct Texts {
    bytes: Vec<u8>,
    ends: Vec<i32>,
}

impl Texts {
    /// Room for so many texts of about this length.
    fn with_capacity(rows: usize, len: usize) -> Self {
        let mut ends = Vec::with_capacity(rows + 1);
        ends.push(0);
        Texts { bytes: Vec::with_capacity(rows * len), ends }
    }

    #[inline]
    fn push(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
        self.ends.push(self.bytes.len() as i32);
    }

    fn finish(self, nulls: &NullBuffer) -> Option<ArrayRef> {
        let ends = OffsetBuffer::new(ScalarBuffer::from(self.ends));
        let texts = StringArray::try_new(ends, Buffer::from_vec(self.bytes), Some(nulls.clone()));
        Some(Arc::new(texts.ok()?))
    }
}
