//! What is forwarded as a whole: some bytes, or one request or response of Kafka's protocol.

use std::io::{self, ErrorKind};

use tokio::io::{AsyncRead, AsyncReadExt};

use super::faults::Direction;
use crate::kafka::ApiKey;

/// Bytes that are read at a time when they are just bytes.
const CHUNK: usize = 64 << 10;
/// The longest request or response: what a broker takes, unless it is told otherwise.
const MAX_FRAME: usize = 100 << 20;
/// The size in front of each.
const SIZE: usize = 4;

/// Some bytes; `None` at the end.
pub async fn read_some(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = vec![0; CHUNK];
    let n = from.read(&mut bytes).await?;
    bytes.truncate(n);
    Ok((n > 0).then_some(bytes))
}

/// A request or response with its size; `None` at the end, wherever that comes.
pub async fn read_frame(
    from: &mut (impl AsyncRead + Unpin),
    direction: Direction,
) -> io::Result<Option<Vec<u8>>> {
    let or_end = |outcome: io::Result<usize>| match outcome {
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => Ok(false),
        outcome => outcome.map(|_| true),
    };
    let mut frame = vec![0; SIZE];
    if !or_end(from.read_exact(&mut frame).await)? {
        return Ok(None);
    }
    let size = field(&frame, 0).map(i32::from_be_bytes).unwrap_or_default();
    let least = match direction {
        // Kind, version, correlation id.
        Direction::Up => 8,
        Direction::Down => 4,
    };
    let size = usize::try_from(size).ok().filter(|size| (least..=MAX_FRAME).contains(size));
    let Some(size) = size else {
        return Err(io::Error::new(ErrorKind::InvalidData, "not Kafka's protocol"));
    };
    frame.resize(SIZE + size, 0);
    Ok(or_end(from.read_exact(&mut frame[SIZE..]).await)?.then_some(frame))
}

/// What a request asks for, and its correlation id.
pub fn request(frame: &[u8]) -> Option<(ApiKey, i32)> {
    let api = field(frame, SIZE).map(i16::from_be_bytes)?;
    Some((ApiKey(api), field(frame, SIZE + 4).map(i32::from_be_bytes)?))
}

/// The correlation id of a response, and what is behind it.
pub fn response(frame: &[u8]) -> Option<(i32, &[u8])> {
    Some((field(frame, SIZE).map(i32::from_be_bytes)?, frame.get(SIZE + 4..)?))
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(mut bytes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        runtime.block_on(async {
            let mut frames = Vec::new();
            while let Some(frame) = read_frame(&mut bytes, Direction::Up).await? {
                frames.push(frame);
            }
            Ok(frames)
        })
    }

    #[test]
    fn frames_are_read_whole_and_one_that_was_cut_is_lost() {
        let one = [0, 0, 0, 9, 0, 26, 0, 4, 0, 0, 1, 44, 99];
        let both = [one, one].concat();
        assert_eq!(frames(&both).unwrap(), [one, one]);
        assert_eq!(frames(&both[..25]).unwrap(), [one]);
        assert_eq!(frames(&both[..15]).unwrap(), [one]);
        assert_eq!(request(&one), Some((ApiKey::END_TXN, 300)));
        assert_eq!(response(&one[..10]), Some((0x1a_0004, &one[8..10])));
        assert_eq!(request(&one[..11]), None);
    }

    #[test]
    fn what_cannot_be_a_frame_is_refused_before_memory_is_taken() {
        for size in [-1, 0, 7, i32::MAX, i32::try_from(MAX_FRAME).unwrap() + 1] {
            let error = frames(&size.to_be_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{size}");
        }
    }
}
