//! Lines from a TCP connection, made by us or by the other side.
//!
//! Each reader has a thread of its own that is told to stop when the reader is dropped: its
//! connection is shut down, and a thread that waits for a client looks up every 20 ms. The
//! listening socket belongs to the source, so its port stays the same, and clients wait, while an
//! attempt restarts.
//!
//! Invariant: a listener binds to loopback addresses only, unless the job's author says otherwise.
//!
//! What this does not do: encrypt, authenticate, or serve two clients at a time.

use std::io::ErrorKind;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use headwater_core::{Error, Result};

use super::feed::{Ended, Feed, Pump};
use super::{DEFAULT_MAX_LINE_BYTES, LineReader, check_split};
use crate::source::{Position, Reader, Source, SplitId, Wake};

const SPLIT: &str = "tcp";
const ACCEPT_EVERY: Duration = Duration::from_millis(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads lines from whoever connects to a loopback address, and ends when the client does.
///
/// What clients send cannot be asked for again: records that were read but not in a checkpoint are
/// lost at a restart (at-most-once). Port 0 takes a free port; see [`TcpListen::local_addr`].
///
/// # Examples
/// ```
/// use headwater_connect::lines::tcp_listen;
/// use std::io::Write;
///
/// let lines = tcp_listen("127.0.0.1:0");
/// let mut client = std::net::TcpStream::connect(lines.local_addr()?).unwrap();
/// client.write_all(b"hello\n").unwrap();
/// drop(client);
/// assert_eq!(headwater_connect::conformance::read_to_end(lines).unwrap(), ["hello"]);
/// # Ok::<(), headwater_core::Error>(())
/// ```
pub fn tcp_listen(address: impl Into<String>) -> TcpListen {
    TcpListen {
        address: address.into(),
        any_address: false,
        keep_listening: false,
        max_line_bytes: DEFAULT_MAX_LINE_BYTES,
        listener: Arc::default(),
    }
}

/// Connects to an address and reads lines until the other side ends.
///
/// What the other side sends cannot be asked for again: records that were read but not in a
/// checkpoint are lost at a restart (at-most-once). The connection is not encrypted.
///
/// # Examples
/// ```
/// use headwater_connect::lines::tcp_connect;
///
/// let lines = tcp_connect("localhost:9999");
/// # headwater_connect::Source::validate(&lines).unwrap();
/// ```
pub fn tcp_connect(address: impl Into<String>) -> TcpConnect {
    TcpConnect { address: address.into(), max_line_bytes: DEFAULT_MAX_LINE_BYTES }
}

/// The source that [`tcp_listen`] gives. Clones share the listening socket.
#[derive(Clone, Debug)]
pub struct TcpListen {
    address: String,
    any_address: bool,
    keep_listening: bool,
    max_line_bytes: usize,
    listener: Arc<Mutex<Option<Arc<TcpListener>>>>,
}

/// The source that [`tcp_connect`] gives.
#[derive(Clone, Debug)]
pub struct TcpConnect {
    address: String,
    max_line_bytes: usize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl TcpListen {
    /// Waits for the next client when one has gone, and never ends.
    pub fn keep_listening(mut self) -> Self {
        self.keep_listening = true;
        self
    }

    /// Allows an address that other machines reach; whoever reaches it can write into the job.
    pub fn insecure_any_address(mut self) -> Self {
        self.any_address = true;
        self
    }

    /// Refuses lines of more than this many bytes; 16 MiB by default.
    pub fn max_line_bytes(mut self, bytes: usize) -> Self {
        self.max_line_bytes = bytes;
        self
    }

    /// The address that clients connect to, with the port that port 0 became. Binds it if need be.
    ///
    /// # Errors
    /// `Config` when it is no address or not a loopback one, `Connector` when it cannot be bound.
    pub fn local_addr(&self) -> Result<SocketAddr> {
        self.listener()?.local_addr().map_err(|e| self.cannot_bind(e))
    }

    fn cannot_bind(&self, e: std::io::Error) -> Error {
        Error::connector(format!("cannot listen on \"{}\"", self.address))
            .because(e)
            .hint("another process may have the port; port 0 takes a free one")
    }

    fn listener(&self) -> Result<Arc<TcpListener>> {
        let mut bound = lock(&self.listener);
        if let Some(listener) = &*bound {
            return Ok(Arc::clone(listener));
        }
        let addresses = self.addresses()?;
        let listener = TcpListener::bind(&*addresses).map_err(|e| self.cannot_bind(e))?;
        listener.set_nonblocking(true).map_err(|e| self.cannot_bind(e))?;
        Ok(Arc::clone(bound.insert(Arc::new(listener))))
    }

    /// The listener, out of the source: a test counts who else has it.
    #[cfg(test)]
    pub(super) fn take_listener(&self) -> Arc<TcpListener> {
        lock(&self.listener).take().unwrap()
    }

    fn addresses(&self) -> Result<Vec<SocketAddr>> {
        let addresses = resolve(&self.address)?;
        let outside = addresses.iter().find(|address| !address.ip().is_loopback());
        match outside {
            Some(outside) if !self.any_address => Err(Error::config(format!(
                "will not listen on \"{}\": {} is not a loopback address",
                self.address,
                outside.ip()
            ))
            .hint("listen on 127.0.0.1, or call insecure_any_address() to let any machine write")),
            _ => Ok(addresses),
        }
    }
}

fn resolve(address: &str) -> Result<Vec<SocketAddr>> {
    let wrong = || {
        Error::config(format!("\"{address}\" is not an address"))
            .hint("write it as host:port, for example 127.0.0.1:9999")
    };
    let found: Vec<_> = address.to_socket_addrs().map_err(|e| wrong().because(e))?.collect();
    if found.is_empty() { Err(wrong()) } else { Ok(found) }
}

impl Source for TcpListen {
    type Record = String;

    fn validate(&self) -> Result<()> {
        self.addresses().map(|_| ())
    }

    fn splits(&self) -> Result<Vec<SplitId>> {
        Ok(vec![SplitId(SPLIT.to_owned())])
    }

    fn open(
        &self,
        split: &SplitId,
        position: Option<&Position>,
        wake: Wake,
    ) -> Result<Box<dyn Reader<String>>> {
        let count = check_split(SPLIT, split, position)?;
        let stop = Arc::new(Stop::default());
        let (listener, keep_listening) = (self.listener()?, self.keep_listening);
        let theirs = Arc::clone(&stop);
        let feed = Feed::start(self.max_line_bytes, move |pump| {
            serve(&listener, keep_listening, &pump, &theirs);
        })?;
        Ok(Box::new(LineReader::new(Arc::new(feed), count, wake, Some(StopOnDrop(stop)))))
    }
}

impl Source for TcpConnect {
    type Record = String;

    fn validate(&self) -> Result<()> {
        // The name may come to be known later; its form does not change.
        match self.address.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(()),
            _ => Err(Error::config(format!("\"{}\" is not an address", self.address))
                .hint("write it as host:port, for example localhost:9999")),
        }
    }

    fn splits(&self) -> Result<Vec<SplitId>> {
        Ok(vec![SplitId(SPLIT.to_owned())])
    }

    fn open(
        &self,
        split: &SplitId,
        position: Option<&Position>,
        wake: Wake,
    ) -> Result<Box<dyn Reader<String>>> {
        let count = check_split(SPLIT, split, position)?;
        let stop = Arc::new(Stop::default());
        let (address, theirs) = (self.address.clone(), Arc::clone(&stop));
        let feed = Feed::start(self.max_line_bytes, move |pump| match connect(&address) {
            Ok(stream) => {
                if let Ended::Broken(e) = read(stream, &pump, &theirs) {
                    pump.fail(format!("the connection to \"{address}\" broke: {e}"));
                }
            }
            Err(e) => pump.fail(format!("cannot connect to \"{address}\": {e}")),
        })?;
        Ok(Box::new(LineReader::new(Arc::new(feed), count, wake, Some(StopOnDrop(stop)))))
    }
}

impl TcpConnect {
    /// Refuses lines of more than this many bytes; 16 MiB by default.
    pub fn max_line_bytes(mut self, bytes: usize) -> Self {
        self.max_line_bytes = bytes;
        self
    }
}

fn connect(address: &str) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::new(ErrorKind::NotFound, "the name has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(stream) => return Ok(stream),
            Err(e) => last = e,
        }
    }
    Err(last)
}

/// How the reader stops its thread.
#[derive(Default)]
struct Stop {
    stopped: AtomicBool,
    connection: Mutex<Option<TcpStream>>,
}

pub(super) struct StopOnDrop(Arc<Stop>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stopped.store(true, Ordering::SeqCst);
        if let Some(connection) = lock(&self.0.connection).take() {
            // An error means that the connection is gone, which is what is wanted.
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

impl Stop {
    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }
}

fn serve(listener: &TcpListener, keep_listening: bool, pump: &Pump, stop: &Stop) {
    while !stop.stopped() {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                std::thread::sleep(ACCEPT_EVERY);
                continue;
            }
            Err(e) if matches!(e.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {
                continue;
            }
            Err(e) => return pump.fail(format!("cannot accept a connection: {e}")),
        };
        match read(stream, pump, stop) {
            Ended::Unwanted => return,
            Ended::Whole if keep_listening => {}
            Ended::Broken(e) if keep_listening => {
                tracing::warn!(error = %e, "a client's connection broke, waiting for the next");
            }
            Ended::Whole => return,
            Ended::Broken(e) => return pump.fail(format!("the client's connection broke: {e}")),
        }
    }
}

fn read(mut stream: TcpStream, pump: &Pump, stop: &Stop) -> Ended {
    // Some systems hand the listener's mode on to its connections.
    let prepared = stream.set_nonblocking(false).and_then(|()| stream.try_clone());
    match prepared {
        Ok(clone) => *lock(&stop.connection) = Some(clone),
        Err(e) => return Ended::Broken(e),
    }
    // Whoever stopped before the line above did not see the connection.
    let ended = if stop.stopped() { Ended::Unwanted } else { pump.read(&mut stream) };
    *lock(&stop.connection) = None;
    if stop.stopped() { Ended::Unwanted } else { ended }
}
