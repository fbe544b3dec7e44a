//! Digests, as hexadecimal text in lower case.

use datafusion::arrow::array::ArrayRef;
use datafusion::common::Result;
use sha2::Digest;

use crate::functions::args::Call;
use crate::functions::native::Spec;
use crate::functions::params::Param::{Bytes, Int};
use crate::functions::returns;

use super::encode::hex_of;

/// The functions of this module.
pub(super) static SPECS: &[Spec] = &[
    Spec::new("md5", &[("value", Bytes)], returns::text, digest::<md5::Md5>),
    Spec::new("sha1", &[("value", Bytes)], returns::text, digest::<sha1::Sha1>),
    Spec::new("sha224", &[("value", Bytes)], returns::text, digest::<sha2::Sha224>),
    Spec::new("sha256", &[("value", Bytes)], returns::text, digest::<sha2::Sha256>),
    Spec::new("sha384", &[("value", Bytes)], returns::text, digest::<sha2::Sha384>),
    Spec::new("sha512", &[("value", Bytes)], returns::text, digest::<sha2::Sha512>),
    Spec::new("sha2", &[("value", Bytes), ("bits", Int)], returns::text, sha2),
];

fn digest<D: Digest>(call: &Call<'_>) -> Result<ArrayRef> {
    let bytes = call.blobs(0)?;
    call.to_texts(|row| Some(hex_of(&D::digest(bytes.at(row)?), false)))
}

fn sha2(call: &Call<'_>) -> Result<ArrayRef> {
    let (bytes, bits) = (call.blobs(0)?, call.ints(1)?);
    call.try_texts(|row| {
        let (bytes, bits) = (bytes.at(row)?, bits.at(row)?);
        Some(Ok(match bits {
            224 => hex_of(&sha2::Sha224::digest(bytes), false),
            256 => hex_of(&sha2::Sha256::digest(bytes), false),
            384 => hex_of(&sha2::Sha384::digest(bytes), false),
            512 => hex_of(&sha2::Sha512::digest(bytes), false),
            _ => {
                let message = "argument 2 (bits) must be 224, 256, 384 or 512";
                return Some(Err(call.error(format!("{message}, got {bits}"))));
            }
        }))
    })
}
