//! Which message of its schema a record is: after the frame, the number of indexes and the path to
//! the message, as zigzag varints. The first message of a file is written as a single 0.

use crate::contract::Refused;

/// Messages within messages; more than any compiler takes.
const MAX_INDEXES: usize = 64;

fn varint(bytes: &mut &[u8]) -> Option<usize> {
    let mut bits = 0u32;
    for shift in (0..28).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        bits |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            // Odd ones are negative.
            return (bits & 1 == 0).then_some(bits as usize >> 1);
        }
    }
    None
}

/// Takes the path off a record.
pub(super) fn split(mut bytes: &[u8]) -> Result<(Vec<usize>, &[u8]), Refused> {
    let wrong = || Refused::new("protobuf: no message's index after the schema's id");
    let count = varint(&mut bytes).filter(|count| *count <= MAX_INDEXES).ok_or_else(wrong)?;
    let path: Option<Vec<usize>> = (0..count).map(|_| varint(&mut bytes)).collect();
    let path = path.ok_or_else(wrong)?;
    Ok((if path.is_empty() { vec![0] } else { path }, bytes))
}

/// Begins a record.
pub(super) fn begin(path: &[usize], out: &mut Vec<u8>) {
    let mut varint = |value: usize| {
        let mut bits = value << 1;
        while bits > 0x7f {
            out.push((bits & 0x7f) as u8 | 0x80);
            bits >>= 7;
        }
        out.push(bits as u8);
    };
    match path {
        [0] => varint(0),
        _ => std::iter::once(&path.len()).chain(path).for_each(|value| varint(*value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_come_back() {
        for (path, bytes) in [
            (vec![0], &[0][..]),
            (vec![1], &[2, 2]),
            (vec![0, 0], &[4, 0, 0]),
            (vec![2, 0, 100], &[6, 4, 0, 0xc8, 1]),
        ] {
            let mut out = Vec::new();
            begin(&path, &mut out);
            assert_eq!(out, bytes);
            out.push(9);
            assert_eq!(split(&out), Ok((path, &[9][..])));
        }
        assert_eq!(split(&[2, 0]), Ok((vec![0], &[][..])), "the long way to say so");
        for wrong in [&[][..], &[1], &[0x80; 9], &[0xff, 0xff, 0xff, 0x7e], &[4, 0], &[2, 1]] {
            assert!(split(wrong).is_err(), "{wrong:?}");
        }
    }
}
