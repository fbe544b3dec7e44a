//! The job against the verifier, end to end: killed, crashed at named points, with faults planted.
//!
//! `HEADWATER_SLOW_TESTS=1` asks for the long forms.

mod crashes;
mod plants;
mod support;
