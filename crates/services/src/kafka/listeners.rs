//! Where a broker listens: one port for each way in, kept for its lifetime.
//!
//! Clients that come over a listener are told its advertised address. So a broker behind a proxy has
//! two listeners without authentication: one whose clients are kept on the proxy, and one for those
//! who must not meet its faults.

use std::fmt::Display;
use std::fs;
use std::path::Path;

use headwater_core::{Error, Result};

use super::options::BrokerOptions;
use crate::ports::free_port;

/// Name of the listener and what it speaks.
const DIRECT: (&str, &str) = ("DIRECT", "PLAINTEXT");
const CONTROLLER: (&str, &str) = ("CONTROLLER", "PLAINTEXT");
const PROXIED: (&str, &str) = ("PROXIED", "PLAINTEXT");
const SASL: (&str, &str) = ("SASL", "SASL_PLAINTEXT");
const TLS: (&str, &str) = ("TLS", "SSL");
const ALL: [(&str, &str); 5] = [DIRECT, CONTROLLER, PROXIED, SASL, TLS];

/// Listeners with their ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listeners(Vec<(&'static str, u16)>);

impl Listeners {
    /// A free port for each listener that the options ask for.
    ///
    /// # Errors
    /// Transient: there are no free ports.
    pub fn choose(options: &BrokerOptions) -> Result<Listeners> {
        let wanted = [
            (DIRECT, true),
            (CONTROLLER, true),
            (PROXIED, options.advertised.is_some()),
            (SASL, options.has_users()),
            (TLS, options.tls),
        ];
        let mut chosen: Vec<(&'static str, u16)> = Vec::new();
        for ((name, _), _) in wanted.into_iter().filter(|(_, wanted)| *wanted) {
            let port = loop {
                let port = free_port()?;
                if chosen.iter().all(|(_, taken)| *taken != port) {
                    break port;
                }
            };
            chosen.push((name, port));
        }
        Ok(Listeners(chosen))
    }

    /// Those that were saved in the file, if it is there.
    pub fn load(file: &Path) -> Option<Listeners> {
        let text = fs::read_to_string(file).ok()?;
        let parse = |line: &str| {
            let (name, port) = line.split_once(' ')?;
            let (name, _) = ALL.into_iter().find(|(known, _)| *known == name)?;
            Some((name, port.parse().ok()?))
        };
        text.lines().map(parse).collect::<Option<Vec<_>>>().map(Listeners)
    }

    /// Saves them in a file.
    ///
    /// # Errors
    /// Config: it cannot be written.
    pub fn save(&self, file: &Path) -> Result<()> {
        let lines: String = self.0.iter().map(|(name, port)| format!("{name} {port}\n")).collect();
        fs::write(file, lines)
            .map_err(|e| Error::config(format!("cannot write {}", file.display())).because(e))
    }

    /// Whether both have listeners of the same names.
    pub fn same_names(&self, other: &Listeners) -> bool {
        let names = |l: &Listeners| l.0.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        names(self) == names(other)
    }

    /// Without authentication, its own address told to clients.
    pub fn direct(&self) -> String {
        self.address(DIRECT).unwrap_or_default()
    }

    /// Without authentication, the proxy's address told to clients.
    pub fn proxied(&self) -> Option<String> {
        self.address(PROXIED)
    }

    /// With SASL.
    pub fn sasl(&self) -> Option<String> {
        self.address(SASL)
    }

    /// With TLS.
    pub fn tls(&self) -> Option<String> {
        self.address(TLS)
    }

    fn address(&self, (wanted, _): (&str, &str)) -> Option<String> {
        let found = self.0.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, port)| format!("127.0.0.1:{port}"))
    }

    /// The lines of `server.properties` about them.
    pub fn properties(&self, set: &mut dyn FnMut(&str, &dyn Display), advertised: Option<&str>) {
        let listed = |with: &dyn Fn(&str, u16) -> Option<String>| {
            let parts = self.0.iter().filter_map(|(name, port)| with(name, *port));
            parts.collect::<Vec<_>>().join(",")
        };
        let own = |name: &str, port| Some(format!("{name}://127.0.0.1:{port}"));
        set("listeners", &listed(&own));
        let told = |name: &str, port| match advertised {
            _ if name == CONTROLLER.0 => None,
            Some(address) if name == PROXIED.0 => Some(format!("{name}://{address}")),
            _ => own(name, port),
        };
        set("advertised.listeners", &listed(&told));
        let protocols = ALL.map(|(name, protocol)| format!("{name}:{protocol}"));
        set("listener.security.protocol.map", &protocols.join(","));
        set("inter.broker.listener.name", &DIRECT.0);
        set("controller.listener.names", &CONTROLLER.0);
        let controller = self.address(CONTROLLER).unwrap_or_default();
        set("controller.quorum.voters", &format!("1@{controller}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_the_same_when_loaded_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ports");
        assert_eq!(Listeners::load(&file), None);
        let options = BrokerOptions { tls: true, ..BrokerOptions::default() };
        let chosen = Listeners::choose(&options).unwrap();
        chosen.save(&file).unwrap();
        assert_eq!(Listeners::load(&file).unwrap(), chosen);
        let others = Listeners::choose(&BrokerOptions::default()).unwrap();
        assert!(!others.same_names(&chosen) && chosen.tls().is_some() && others.tls().is_none());
        fs::write(&file, "DIRECT x\n").unwrap();
        assert_eq!(Listeners::load(&file), None);
    }

    #[test]
    fn only_the_listener_behind_the_proxy_advertises_it() {
        let advertised = Some("proxy:1".to_owned());
        let options = BrokerOptions { advertised, ..BrokerOptions::default() };
        let listeners = Listeners::choose(&options).unwrap();
        let mut lines = Vec::new();
        let mut set = |key: &str, value: &dyn Display| lines.push(format!("{key}={value}"));
        listeners.properties(&mut set, options.advertised.as_deref());
        let direct = listeners.direct();
        let expected = format!("advertised.listeners=DIRECT://{direct},PROXIED://proxy:1");
        assert!(lines.contains(&expected), "{lines:?}");
    }
}
