//! What travels between groups: a batch with its addressee; and the pact that delivers it.

use headwater_core::Batch;
use timely::communication::Push;
use timely::container::Accountable;
use timely::dataflow::channels::pact::DistributorPact;
use timely::dataflow::channels::pushers::exchange::Distributor;
use timely::dataflow::channels::{ContainerBytes, Message};

/// A batch for one worker. The only container type timely is instantiated with.
#[derive(Default)]
pub(crate) struct Parcel {
    pub(crate) target: usize,
    pub(crate) batch: Batch,
}

impl Accountable for Parcel {
    fn record_count(&self) -> i64 {
        self.batch.len() as i64
    }
}

/// Between threads of one process batches are moved, never encoded; the wire format between
/// processes comes with the cluster.
#[expect(clippy::panic, reason = "timely demands the trait; in one process it never calls it")]
impl ContainerBytes for Parcel {
    fn from_bytes(_: timely::bytes::arc::Bytes) -> Self {
        panic!("a parcel arrived as bytes inside one process");
    }
    fn length_in_bytes(&self) -> usize {
        panic!("a parcel was to be encoded inside one process");
    }
    fn into_bytes<W: std::io::Write>(&self, _: &mut W) {
        panic!("a parcel was to be encoded inside one process");
    }
}

/// Hands each parcel to the channel of its addressee.
pub(crate) struct Deliver;

impl Distributor<Parcel> for Deliver {
    fn partition<T: Clone, P: Push<Message<T, Parcel>>>(
        &mut self,
        parcel: &mut Parcel,
        time: &T,
        pushers: &mut [P],
    ) {
        let parcel = std::mem::take(parcel);
        let target = parcel.target;
        let mut message = Some(Message::new(time.clone(), parcel));
        pushers[target].push(&mut message);
    }
    fn flush<T: Clone, P: Push<Message<T, Parcel>>>(&mut self, _: &T, _: &mut [P]) {}
}

/// The pact of every edge between groups.
pub(crate) fn pact() -> DistributorPact<Box<dyn FnOnce(usize) -> Deliver>> {
    DistributorPact(Box::new(|_| Deliver))
}
