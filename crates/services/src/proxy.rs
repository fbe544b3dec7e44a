//! A TCP proxy that makes network faults, between a client and a server on this machine.
//!
//! It listens on a free port of the loopback interface and forwards to a target that can be changed.
//! [`Faults`] say what happens to all connections; they are data, set as a whole, at any time. A
//! proxy that reads Kafka's protocol can treat single requests differently, too: [`Rule`]s catch them
//! by what they ask for.
//!
//! It is faithful in two points that matter. Bytes keep their order, whatever delays them: a request
//! that is delayed or held delays all that the client sent behind it on this connection, as Kafka
//! demands and a slow network does. And what a client has sent arrives even if the client has closed
//! its connection meanwhile, like bytes that are on their way: so an `EndTxn` that is held beyond the
//! client's timeout reaches the broker after the client has gone on over another connection, the
//! fault that KIP-890 defends against.
//!
//! It does not: break TLS open (read as bytes it can be forwarded), reorder, corrupt, or lose parts
//! of a stream.
//!
//! Reading order: [`Faults`] → [`Action`] → [`Rule`] → `connection` → `pipe` → `units`.

use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use headwater_core::{Error, Result};
use tokio::sync::{oneshot, watch};

use crate::kafka::ApiKey;
use crate::ports::free_port;

mod accept;
mod connection;
mod faults;
mod pipe;
mod rules;
mod units;

pub use faults::{Direction, Drip, Faults};
pub use rules::{Action, Counts, Rule};

/// How long opening or closing the port may take.
const PORT_LIMIT: Duration = Duration::from_secs(20);

/// What the proxy takes the bytes for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// Anything: they are forwarded as they come.
    Bytes,
    /// Kafka's requests and responses: forwarded one by one, each as a whole.
    Kafka,
}

/// A running proxy. Dropping it closes its port and all its connections.
///
/// ```no_run
/// # use headwater_services::kafka::{ApiKey, Broker, BrokerOptions};
/// # use headwater_services::proxy::{Action, Proxy, Speaks};
/// # use std::time::Duration;
/// let proxy = Proxy::start(Speaks::Kafka)?;
/// let advertised = Some(proxy.address());
/// let broker = Broker::launch(BrokerOptions { advertised, ..BrokerOptions::default() })?;
/// proxy.set_target(broker.behind_proxy().unwrap_or_default());
///
/// let late = proxy.on(ApiKey::END_TXN, Action::Hold)?;
/// // … a client of `broker.bootstrap()` commits, gives up, goes on with the next transaction …
/// assert!(late.wait(Duration::from_secs(60), |seen| seen.hits == 1));
/// late.release();
/// assert!(late.wait(Duration::from_secs(60), |seen| seen.answered == 1));
/// # Ok::<(), headwater_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What the handle and the connections have in common.
#[derive(Debug)]
struct Shared {
    speaks: Speaks,
    target: Mutex<String>,
    faults: watch::Sender<Faults>,
    /// Counts the calls of `reset_connections`.
    resets: watch::Sender<u64>,
    rules: rules::Rules,
    /// Whether the port is open, and news of it.
    listening: Mutex<bool>,
    listening_changed: Condvar,
    connections: watch::Sender<usize>,
}

impl Proxy {
    /// Starts a proxy without a target; until it has one, it resets who connects.
    ///
    /// # Errors
    /// Transient: there is no free port.
    pub fn start(speaks: Speaks) -> Result<Proxy> {
        let port = free_port()?;
        let shared = Arc::new(Shared {
            speaks,
            target: Mutex::default(),
            faults: watch::Sender::new(Faults::default()),
            resets: watch::Sender::new(0),
            rules: rules::Rules::default(),
            listening: Mutex::new(false),
            listening_changed: Condvar::new(),
            connections: watch::Sender::new(0),
        });
        let (stop, stopped) = oneshot::channel();
        let (opened, is_open) = mpsc::channel();
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("fault-proxy".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => runtime.block_on(accept::run(for_thread, port, stopped, opened)),
                // Nobody is left to hear it only if the caller is gone.
                Err(e) => drop(opened.send(Err(e))),
            }
        });
        let failed = |e: std::io::Error| Error::transient("cannot start a proxy").because(e);
        let thread = Some(thread.map_err(failed)?);
        let proxy = Proxy { port, shared, stop: Some(stop), thread };
        match is_open.recv() {
            Ok(outcome) => outcome.map_err(failed).map(|()| proxy),
            Err(_) => Err(Error::internal("the thread of a proxy has ended")),
        }
    }

    /// Where clients connect: `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Forwards connections made from now on to `host:port`.
    pub fn set_target(&self, target: impl Into<String>) {
        *self.shared.target.lock().unwrap_or_else(PoisonError::into_inner) = target.into();
    }

    /// Makes these faults from now on and no others. When it returns, a port that is to refuse does.
    ///
    /// # Errors
    /// Transient: the port that was closed could not be opened again.
    pub fn set_faults(&self, faults: Faults) -> Result<()> {
        let open = !faults.refuse;
        self.shared.faults.send_replace(faults);
        let listening = self.shared.listening.lock().unwrap_or_else(PoisonError::into_inner);
        let waited =
            self.shared
                .listening_changed
                .wait_timeout_while(listening, PORT_LIMIT, |now| *now != open);
        let (listening, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match *listening == open {
            true => Ok(()),
            false => Err(Error::transient(format!("cannot open {} again", self.address()))),
        }
    }

    /// Makes no fault any more. Rules stay.
    ///
    /// # Errors
    /// See [`set_faults`](Self::set_faults).
    pub fn heal(&self) -> Result<()> {
        self.set_faults(Faults::default())
    }

    /// Resets all connections (TCP RST, to both sides). What was on its way is lost, held requests
    /// too.
    pub fn reset_connections(&self) {
        self.shared.resets.send_modify(|resets| *resets += 1);
    }

    /// Connections that are open, or that only the server's side is left of.
    pub fn connections(&self) -> usize {
        *self.shared.connections.borrow()
    }

    /// Treats the next request of this kind like that. Of several rules for the same kind each takes
    /// one, in the order in which they were made.
    ///
    /// # Errors
    /// Config: the proxy does not read Kafka's protocol.
    pub fn on(&self, api: ApiKey, action: Action) -> Result<Rule> {
        self.add_rule(api, action, Some(1))
    }

    /// Treats every request of this kind like that, until [`Rule::remove`].
    ///
    /// # Errors
    /// Config: the proxy does not read Kafka's protocol.
    pub fn on_every(&self, api: ApiKey, action: Action) -> Result<Rule> {
        self.add_rule(api, action, None)
    }

    /// Requests of this kind that have come, whatever became of them.
    pub fn requests(&self, api: ApiKey) -> u64 {
        self.shared.rules.requests(api)
    }

    fn add_rule(&self, api: ApiKey, action: Action, times: Option<u64>) -> Result<Rule> {
        match self.shared.speaks {
            Speaks::Kafka => Ok(self.shared.rules.add(api, action, times)),
            Speaks::Bytes => Err(Error::config(format!(
                "a rule for {api}, at a proxy that does not read Kafka's protocol"
            ))),
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Dropping the sender ends the thread, and with it all connections.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
