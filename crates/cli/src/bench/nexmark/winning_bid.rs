//! The best bid of each auction so far: what q4 and q9 have in common.
//!
//! A bid counts from the opening of its auction until it expires, both included. Bids may be read
//! before their auction, so they wait for it. State is freed by the watermark: an auction when no
//! bid in time can come any more, a waiting bid when its auction would have had to be read.

use std::marker::PhantomData;

use headwater::prelude::*;

/// What comes in. `A` and `B` are what is to be known of auctions and bids.
#[derive(Clone, Serialize, Deserialize)]
pub(super) enum AuctionOrBid<A, B> {
    /// An auction was opened.
    Auction(Terms<A>),
    /// Somebody bid in it.
    Bid(Offer<B>),
}

impl<A, B> AuctionOrBid<A, B> {
    /// The auction's id.
    pub(super) fn auction(&self) -> u64 {
        match self {
            AuctionOrBid::Auction(terms) => terms.id,
            AuctionOrBid::Bid(offer) => offer.auction,
        }
    }
}

/// An auction, as far as bids are concerned.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Terms<A> {
    pub(super) id: u64,
    pub(super) opened: EventTime,
    pub(super) expires: EventTime,
    pub(super) auction: A,
}

/// A bid, as far as the auction is concerned.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Offer<B> {
    pub(super) auction: u64,
    pub(super) at: EventTime,
    pub(super) price: u64,
    pub(super) bid: B,
}

/// An auction has a new best bid.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct NewBest<A, B> {
    pub(super) auction: A,
    /// The price of the best bid before.
    pub(super) before: Option<u64>,
    pub(super) best: Offer<B>,
}

/// Emits each new best bid of an auction: a higher one, or an earlier one of the same price.
pub(super) struct WinningBid<A, B>(PhantomData<fn(A, B)>);

impl<A, B> WinningBid<A, B> {
    pub(super) fn new() -> Self {
        WinningBid(PhantomData)
    }
}

/// One auction's state.
#[derive(Clone, Serialize, Deserialize)]
pub(super) enum Bidding<A, B> {
    /// The auction is not known; the bids that wait for it.
    Unknown(Vec<Offer<B>>),
    /// The auction and its best bid.
    Open(Terms<A>, Option<Offer<B>>),
}

impl<A, B> Default for Bidding<A, B> {
    fn default() -> Self {
        Bidding::Unknown(Vec::new())
    }
}

impl<A> Terms<A> {
    fn admits<B>(&self, offer: &Offer<B>) -> bool {
        (self.opened..=self.expires).contains(&offer.at)
    }
}

impl<B> Offer<B> {
    fn beats(&self, best: &Option<Offer<B>>) -> bool {
        best.as_ref().is_none_or(|best| {
            self.price > best.price || (self.price == best.price && self.at < best.at)
        })
    }
}

impl<A: Record, B: Record> Process for WinningBid<A, B> {
    type Key = u64;
    type In = AuctionOrBid<A, B>;
    type Out = NewBest<A, B>;
    type State = Bidding<A, B>;

    fn process(&self, cx: &mut Cx<'_, Self>, record: Self::In) -> Result<()> {
        match record {
            AuctionOrBid::Auction(terms) => {
                let waiting = match std::mem::take(cx.state()) {
                    Bidding::Unknown(waiting) => waiting,
                    Bidding::Open(..) => Vec::new(),
                };
                cx.timer_at(terms.expires);
                *cx.state() = Bidding::Open(terms, None);
                waiting.into_iter().for_each(|offer| take(cx, offer));
            }
            AuctionOrBid::Bid(offer) => take(cx, offer),
        }
        Ok(())
    }

    fn on_timer(&self, cx: &mut Cx<'_, Self>, at: EventTime) -> Result<()> {
        let over = match cx.state() {
            Bidding::Open(terms, _) => terms.expires <= at,
            Bidding::Unknown(waiting) => {
                waiting.retain(|offer| offer.at > at);
                waiting.is_empty()
            }
        };
        if over {
            cx.clear_state();
        }
        Ok(())
    }
}

/// Considers a bid. Most are none of the best, and change nothing.
fn take<A: Record, B: Record>(cx: &mut Cx<'_, WinningBid<A, B>>, offer: Offer<B>) {
    match cx.state_ref() {
        Some(Bidding::Open(terms, best)) if !terms.admits(&offer) || !offer.beats(best) => return,
        _ => {}
    }
    match cx.state() {
        Bidding::Unknown(waiting) => {
            let at = offer.at;
            waiting.push(offer);
            cx.timer_at(at);
        }
        Bidding::Open(terms, best) => {
            let before = best.replace(offer.clone()).map(|best| best.price);
            let auction = terms.auction.clone();
            cx.emit(NewBest { auction, before, best: offer });
        }
    }
}
