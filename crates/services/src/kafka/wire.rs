//! The little of Kafka's protocol that is needed before a client can be trusted: one request, one
//! response, at versions old enough to have no tagged fields unless said otherwise.
//!
//! A request is `size:i32 api_key:i16 version:i16 correlation:i32 client_id:string body`, a response
//! `size:i32 correlation:i32 body`; everything is big-endian.
//!
//! Source: Kafka protocol guide; KIP-482 for compact strings and tagged fields.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use headwater_core::{Error, Result};

use super::ApiKey;

/// The longest response that is read, in bytes.
const MAX_RESPONSE: usize = 16 << 20;

/// A connection to a broker that has one request under way at a time.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    address: String,
    correlation: i32,
}

impl Connection {
    /// Connects to `host:port`; `timeout` is for this and for each response.
    ///
    /// # Errors
    /// Transient: nobody answers there.
    pub fn open(address: &str, timeout: Duration) -> Result<Connection> {
        let within = |e: std::io::Error| {
            Error::transient(format!("cannot connect to kafka at {address}")).because(e)
        };
        let mut found = address.to_socket_addrs().map_err(within)?;
        let Some(found) = found.next() else {
            return Err(Error::config(format!("kafka at {address}: the name has no address")));
        };
        let stream = TcpStream::connect_timeout(&found, timeout).map_err(within)?;
        stream.set_read_timeout(Some(timeout)).map_err(within)?;
        stream.set_nodelay(true).map_err(within)?;
        Ok(Connection { stream, address: address.to_owned(), correlation: 0 })
    }

    /// Sends a request without waiting for the response; gives its correlation id.
    ///
    /// # Errors
    /// Transient: the connection is broken.
    pub fn send(&mut self, api: ApiKey, version: i16, body: &Body) -> Result<i32> {
        self.correlation += 1;
        let header = Body::new().i16(api.0).i16(version).i32(self.correlation).string("headwater");
        let size = i32::try_from(header.0.len() + body.0.len())
            .map_err(|_| Error::data(format!("{api} to {}: too long", self.address)))?;
        let frame = [&size.to_be_bytes()[..], &header.0, &body.0].concat();
        self.stream.write_all(&frame).map_err(|e| self.broken(api, e))?;
        Ok(self.correlation)
    }

    /// Receives the next response, which must be that of the request with this correlation id.
    ///
    /// # Errors
    /// Transient: none came. Data: it is too long or another one.
    pub fn receive(&mut self, api: ApiKey, correlation: i32) -> Result<Answer> {
        let mut size = [0; 4];
        self.stream.read_exact(&mut size).map_err(|e| self.broken(api, e))?;
        let size = usize::try_from(i32::from_be_bytes(size)).unwrap_or(usize::MAX);
        if size > MAX_RESPONSE {
            let text = format!("{api} to {}: a response of {size} bytes", self.address);
            return Err(Error::data(text));
        }
        let mut bytes = vec![0; size];
        self.stream.read_exact(&mut bytes).map_err(|e| self.broken(api, e))?;
        let mut answer = Answer { bytes, at: 0 };
        match answer.i32()? == correlation {
            true => Ok(answer),
            false => Err(Error::data(format!("{api} to {}: not its response", self.address))),
        }
    }

    /// Sends a request and waits for the response.
    ///
    /// # Errors
    /// See [`send`](Self::send) and [`receive`](Self::receive).
    pub fn call(&mut self, api: ApiKey, version: i16, body: &Body) -> Result<Answer> {
        let correlation = self.send(api, version, body)?;
        self.receive(api, correlation)
    }

    fn broken(&self, api: ApiKey, e: std::io::Error) -> Error {
        Error::transient(format!("no response to {api} from kafka at {}", self.address)).because(e)
    }
}

/// The body of a request, put together field by field.
#[derive(Clone, Debug, Default)]
pub struct Body(Vec<u8>);

impl Body {
    /// An empty body.
    pub fn new() -> Body {
        Body::default()
    }

    /// Bytes as they are.
    pub fn raw(mut self, bytes: &[u8]) -> Body {
        self.0.extend_from_slice(bytes);
        self
    }

    /// An `int8`, or a `boolean` as 0 or 1.
    pub fn i8(self, value: i8) -> Body {
        self.raw(&value.to_be_bytes())
    }

    /// An `int16`.
    pub fn i16(self, value: i16) -> Body {
        self.raw(&value.to_be_bytes())
    }

    /// An `int32`, or the length of an array.
    pub fn i32(self, value: i32) -> Body {
        self.raw(&value.to_be_bytes())
    }

    /// An `int64`.
    pub fn i64(self, value: i64) -> Body {
        self.raw(&value.to_be_bytes())
    }

    /// A `string`; what is beyond its longest length is cut off.
    pub fn string(self, text: &str) -> Body {
        let length = i16::try_from(text.len()).unwrap_or(i16::MAX);
        self.i16(length).raw(&text.as_bytes()[..usize::from(length.unsigned_abs())])
    }

    /// A `compact_string` of at most 126 bytes; what is beyond is cut off.
    pub fn compact_string(self, text: &str) -> Body {
        let bytes = &text.as_bytes()[..text.len().min(126)];
        self.raw(&[u8::try_from(bytes.len() + 1).unwrap_or(1)]).raw(bytes)
    }

    /// A `bytes` field.
    pub fn bytes(self, bytes: &[u8]) -> Body {
        self.i32(i32::try_from(bytes.len()).unwrap_or(i32::MAX)).raw(bytes)
    }
}

/// The body of a response, taken apart field by field; every step checks that it is there.
#[derive(Clone, Debug)]
pub struct Answer {
    bytes: Vec<u8>,
    at: usize,
}

impl Answer {
    /// The next `length` bytes.
    ///
    /// # Errors
    /// Data, like all of these: the response is too short.
    pub fn raw(&mut self, length: usize) -> Result<&[u8]> {
        let found = self.at.checked_add(length).and_then(|end| self.bytes.get(self.at..end));
        let too_short = || Error::data("a response from kafka is too short");
        let found = found.ok_or_else(too_short)?;
        self.at += length;
        Ok(found)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.raw(N)?;
        <[u8; N]>::try_from(bytes).map_err(|e| Error::internal("not that many bytes").because(e))
    }

    /// An `int8` or `boolean`.
    ///
    /// # Errors
    /// Data: the response is too short.
    pub fn i8(&mut self) -> Result<i8> {
        self.array().map(i8::from_be_bytes)
    }

    /// An `int16`.
    ///
    /// # Errors
    /// Data: the response is too short.
    pub fn i16(&mut self) -> Result<i16> {
        self.array().map(i16::from_be_bytes)
    }

    /// An `int32`, or the length of an array.
    ///
    /// # Errors
    /// Data: the response is too short.
    pub fn i32(&mut self) -> Result<i32> {
        self.array().map(i32::from_be_bytes)
    }

    /// An `int64`.
    ///
    /// # Errors
    /// Data: the response is too short.
    pub fn i64(&mut self) -> Result<i64> {
        self.array().map(i64::from_be_bytes)
    }

    /// A `string` or `nullable_string`; null is empty.
    ///
    /// # Errors
    /// Data: the response is too short.
    pub fn string(&mut self) -> Result<String> {
        let length = usize::try_from(self.i16()?).unwrap_or(0);
        Ok(String::from_utf8_lossy(self.raw(length)?).into_owned())
    }

    /// An `unsigned_varint`.
    ///
    /// # Errors
    /// Data: the response is too short, or the number too long.
    pub fn varint(&mut self) -> Result<usize> {
        let mut value = 0;
        for shift in (0..28).step_by(7) {
            let byte = self.array::<1>()?[0];
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Error::data("a length in a response from kafka is too long"))
    }

    /// A `compact_string`; null is empty.
    ///
    /// # Errors
    /// Data: the response is too short.
    pub fn compact_string(&mut self) -> Result<String> {
        let length = self.varint()?.saturating_sub(1);
        Ok(String::from_utf8_lossy(self.raw(length)?).into_owned())
    }

    /// Passes over tagged fields; gives the bytes of the one with this tag.
    ///
    /// # Errors
    /// Data: the response is too short.
    pub fn tagged(&mut self, wanted: usize) -> Result<Option<Answer>> {
        let mut found = None;
        for _ in 0..self.varint()? {
            let (tag, length) = (self.varint()?, self.varint()?);
            let bytes = self.raw(length)?.to_vec();
            if tag == wanted {
                found = Some(Answer { bytes, at: 0 });
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: Body) -> Answer {
        Answer { bytes: body.0, at: 0 }
    }

    #[test]
    fn fields_come_back_as_they_were_written() {
        let mut read = answer(Body::new().i8(-1).i16(300).i32(-70_000).string("täg").i16(-1));
        assert_eq!(read.i8().unwrap(), -1);
        assert_eq!(read.i16().unwrap(), 300);
        assert_eq!(read.i32().unwrap(), -70_000);
        assert_eq!(read.string().unwrap(), "täg");
        assert_eq!(read.string().unwrap(), "", "null");
        assert!(read.i8().is_err(), "nothing is left");
    }

    #[test]
    fn varints_and_tagged_fields_are_bounded() {
        assert_eq!(answer(Body::new().raw(&[0xac, 0x02])).varint().unwrap(), 300);
        assert!(answer(Body::new().raw(&[0xff; 9])).varint().is_err(), "endless");
        assert!(answer(Body::new().raw(&[0xff])).varint().is_err(), "cut");
        let mut tags = answer(Body::new().raw(&[2, 7, 1, 42, 9, 0, 5]));
        assert_eq!(tags.tagged(7).unwrap().unwrap().i8().unwrap(), 42);
        assert_eq!(tags.i8().unwrap(), 5, "what is behind them");
        assert!(answer(Body::new().raw(&[1, 7, 200])).tagged(7).is_err());
    }
}
