//! Serves a job's metrics and health over HTTP, on this machine only.
//!
//! `GET /metrics` is the Prometheus text of [`text::render`]; `GET /livez` says that the process
//! turns, `GET /readyz` whether the job reads records, both as JSON with a reason. The server has a
//! thread of its own with a single-threaded runtime; a scrape takes a snapshot of the counters and
//! disturbs no worker.
//!
//! Invariants: it listens on loopback addresses only, and refuses requests whose `Host` is not one
//! (so that no web page can reach it through a name that resolves to this machine).
//!
//! What it does not do: TLS, passwords, pushing. A reverse proxy can do these.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use headwater_core::{Error, ProcessingTime, Result};
use headwater_runtime::MetricsSnapshot;
use tokio::sync::oneshot;

pub mod text;

use text::Now;

/// Where the server takes its metrics from; `None` when the job is over.
pub type MetricsSource = Arc<dyn Fn() -> Option<MetricsSnapshot> + Send + Sync>;

/// A running server; dropping it ends it.
pub struct MetricsServer {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl MetricsServer {
    /// Serves what `metrics` gives on a loopback address; port 0 takes a free one.
    ///
    /// # Errors
    /// Kind `Config` if the address is not a loopback address or cannot be listened on.
    pub fn start(
        address: SocketAddr,
        metrics: impl Fn() -> Option<MetricsSnapshot> + Send + Sync + 'static,
    ) -> Result<MetricsServer> {
        if let Err(why) = check_address(&address) {
            return Err(Error::config(format!("cannot serve metrics on {address}: {why}"))
                .hint("use 127.0.0.1:PORT or [::1]:PORT, and a reverse proxy for other machines"));
        }
        let cannot = |what: &str, e: std::io::Error| {
            Error::config(format!("cannot serve metrics on {address}: {what}"))
                .because(e)
                .hint("another program may have the port; port 0 takes a free one")
        };
        let listener = TcpListener::bind(address).map_err(|e| cannot("cannot listen", e))?;
        listener.set_nonblocking(true).map_err(|e| cannot("the socket fails", e))?;
        let address = listener.local_addr().map_err(|e| cannot("the socket fails", e))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(|e| cannot("the server does not start", e))?;
        let (stop, stopped) = oneshot::channel();
        let router = router(Arc::new(metrics));
        let serve = async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            tokio::select! {
                served = axum::serve(listener, router) => served,
                // Requests that are under way are cut: a scrape is not worth waiting for.
                _ = stopped => Ok(()),
            }
        };
        let run = move || {
            if let Err(e) = runtime.block_on(serve) {
                tracing::warn!("the metrics server ended: {e}");
            }
        };
        let thread = std::thread::Builder::new()
            .name("headwater-metrics".into())
            .spawn(run)
            .map_err(|e| cannot("the server does not start", e))?;
        Ok(MetricsServer { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Whether metrics may be served there.
///
/// # Errors
/// Says why not.
pub(crate) fn check_address(address: &SocketAddr) -> std::result::Result<(), String> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    Err("metrics have no password, so they are served on a loopback address only".to_owned())
}

fn router(metrics: MetricsSource) -> Router {
    Router::new()
        .route("/metrics", get(serve_metrics))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .with_state(metrics)
}

async fn serve_metrics(State(metrics): State<MetricsSource>, headers: HeaderMap) -> Response {
    if let Some(refused) = refuse_host(&headers) {
        return refused;
    }
    match metrics() {
        Some(snapshot) => {
            let page =
                text::render(&snapshot, Now { wall: wall_clock(), monotonic: Instant::now() });
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page)
                .into_response()
        }
        None => (StatusCode::SERVICE_UNAVAILABLE, "the job is over\n").into_response(),
    }
}

async fn livez(headers: HeaderMap) -> Response {
    refuse_host(&headers).unwrap_or_else(|| health(StatusCode::OK, "the process turns"))
}

async fn readyz(State(metrics): State<MetricsSource>, headers: HeaderMap) -> Response {
    refuse_host(&headers).unwrap_or_else(|| {
        let (ready, reason) = readiness(metrics().as_ref());
        health(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, reason)
    })
}

/// Whether a job reads records, and why or why not.
pub fn readiness(snapshot: Option<&MetricsSnapshot>) -> (bool, &'static str) {
    match snapshot {
        None => (false, "the job is over"),
        Some(s) if s.recovery.is_zero() => (false, "the job is being restored from its checkpoint"),
        Some(_) => (true, "the job is running"),
    }
}

fn health(status: StatusCode, reason: &str) -> Response {
    let body = serde_json::json!({ "ok": status == StatusCode::OK, "reason": reason });
    let json = [(header::CONTENT_TYPE, "application/json")];
    (status, json, format!("{body}\n")).into_response()
}

fn refuse_host(headers: &HeaderMap) -> Option<Response> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    if host.is_some_and(is_loopback_host) {
        return None;
    }
    let text = "the Host header must name this machine: localhost, 127.0.0.1 or [::1]\n";
    Some((StatusCode::FORBIDDEN, text).into_response())
}

/// Whether a `Host` header, with or without a port, names this machine itself.
fn is_loopback_host(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, _port)) => v6,
        None => host.rsplit_once(':').map_or(host, |(name, _port)| name),
    };
    let is_loopback = |ip: IpAddr| ip.is_loopback();
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(is_loopback)
}

fn wall_clock() -> ProcessingTime {
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
    ProcessingTime(headwater_core::time::millis(now.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    fn get(server: &MetricsServer, path: &str, host: &str) -> String {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn server(metrics: Option<MetricsSnapshot>) -> MetricsServer {
        MetricsServer::start("127.0.0.1:0".parse().unwrap(), move || metrics.clone()).unwrap()
    }

    #[test]
    fn metrics_and_health_are_served() {
        let server = server(Some(text::tests::snapshot(Instant::now())));
        let metrics = get(&server, "/metrics", "localhost:1");
        assert!(metrics.starts_with("HTTP/1.1 200 OK\r\n"), "{metrics}");
        assert!(metrics.contains("content-type: text/plain; version=0.0.4"), "{metrics}");
        assert!(metrics.contains("\nheadwater_up{job=\"orders\"} 1\n"), "{metrics}");
        let ready = get(&server, "/readyz", "127.0.0.1");
        assert!(ready.contains("{\"ok\":true,\"reason\":\"the job is running\"}"), "{ready}");
        assert!(get(&server, "/livez", "[::1]:80").starts_with("HTTP/1.1 200 OK\r\n"));
        assert!(get(&server, "/other", "localhost").starts_with("HTTP/1.1 404 "));
    }

    #[test]
    fn a_job_that_is_over_is_not_ready() {
        let server = server(None);
        assert!(get(&server, "/metrics", "localhost").starts_with("HTTP/1.1 503 "));
        assert!(get(&server, "/readyz", "localhost").starts_with("HTTP/1.1 503 "));
        assert!(get(&server, "/livez", "localhost").starts_with("HTTP/1.1 200 "));
    }

    #[test]
    fn other_hosts_and_addresses_are_refused() {
        let server = server(None);
        for path in ["/metrics", "/livez", "/readyz"] {
            let answer = get(&server, path, "rebound.example.org");
            assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        }
        assert!(is_loopback_host("LOCALHOST") && is_loopback_host("127.0.0.2:9"));
        assert!(!is_loopback_host("localhost.example.org") && !is_loopback_host(""));
        let open = MetricsServer::start("0.0.0.0:0".parse().unwrap(), || None);
        let error = open.map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("loopback address only"), "{error}");
        assert!(error.hint_text().is_some());
    }
}
