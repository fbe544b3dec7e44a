//! Windows: the kinds ([`Tumbling`], [`Hopping`], [`Session`] …), what they compute ([`Aggregate`],
//! [`count`], [`sum`], [`reduce`] …), and when they emit ([`StandardTrigger`], [`Trigger`]).

pub use headwater_api::windowed::*;
pub use headwater_operators::window::*;
