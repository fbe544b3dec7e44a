//! A stand-in for a schema registry: a small HTTP server on a free port of this machine.
//!
//! It speaks these parts of the REST API, as Confluent documents them:
//! - `GET /schemas/ids/{id}`
//! - `POST /subjects/{subject}/versions` (register), `POST /subjects/{subject}` (find)
//! - `GET /subjects/{subject}/versions/latest`
//!
//! It checks no compatibility between versions; a schema that contains `invalid` is refused. It can
//! be told to fail a number of requests first, and wants the credentials it is given.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

#[derive(Default)]
pub struct State {
    /// Schemas with their subjects; the id is 1 more than the index.
    pub schemas: Vec<(String, Value)>,
    /// Answers to the next requests, instead of the right ones.
    pub failures: VecDeque<(u16, String)>,
    /// What the header `Authorization` must be.
    pub authorization: Option<String>,
    /// Requests so far, as `METHOD path`.
    pub requests: Vec<String>,
}

#[derive(Clone)]
pub struct StandIn {
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl StandIn {
    pub fn start() -> Self {
        StandIn::serving("http", serve)
    }

    /// With TLS; also gives the certificate, which nobody else has signed.
    pub fn start_tls() -> (Self, String) {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let server = StandIn::serving("https", move |stream, state| {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            serve(StreamOwned::new(connection, stream), state)
        });
        (server, made.cert.pem())
    }

    fn serving(
        scheme: &str,
        serve: impl Fn(TcpStream, &Mutex<State>) -> std::io::Result<()> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let server = StandIn { url, state: Arc::default() };
        let state = Arc::clone(&server.state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that goes away is no fault of the server.
                let _ = serve(stream.unwrap(), &state);
            }
        });
        server
    }

    pub fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        f(&mut self.state.lock().unwrap())
    }

    /// Adds a schema; `kind` is empty for Avro, as registries leave it out.
    pub fn add(&self, kind: &str, schema: &str) -> u32 {
        let mut found = json!({ "schema": schema });
        if !kind.is_empty() {
            found["schemaType"] = kind.into();
        }
        self.with(|state| {
            state.schemas.push(("added".into(), found));
            state.schemas.len() as u32
        })
    }

    pub fn requests(&self) -> Vec<String> {
        self.with(|state| state.requests.clone())
    }
}

fn serve(stream: impl Read + Write, state: &Mutex<State>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut first, mut authorization, mut length) = (String::new(), None, 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => authorization = Some(value.to_owned()),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let request = first.rsplit_once(' ').unwrap_or_default().0;
    let (status, answer) = answer(&mut state.lock().unwrap(), request, authorization, &body);
    let stream = reader.get_mut();
    write!(
        stream,
        "HTTP/1.1 {status} Status\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}",
        answer.len()
    )?;
    stream.flush()
}

fn answer(
    state: &mut State,
    request: &str,
    authorization: Option<String>,
    body: &[u8],
) -> (u16, String) {
    let problem = |status: u16, code: u32, message: &str| {
        (status, json!({ "error_code": code, "message": message }).to_string())
    };
    state.requests.push(request.to_owned());
    if state.authorization.is_some() && state.authorization != authorization {
        return problem(401, 40101, "Unauthorized");
    }
    if let Some(failure) = state.failures.pop_front() {
        return failure;
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let same = |known: &Value| {
        known["schema"] == body["schema"] && known.get("schemaType") == body.get("schemaType")
    };
    let parts: Vec<&str> = request.split(['/', ' ']).filter(|part| !part.is_empty()).collect();
    match parts[..] {
        ["GET", "schemas", "ids", id] => {
            let found = state.schemas.get(id.parse::<usize>().unwrap().wrapping_sub(1));
            found.map_or_else(
                || problem(404, 40403, "Schema not found"),
                |(_, schema)| (200, schema.to_string()),
            )
        }
        ["GET", "subjects", subject, "versions", "latest"] => {
            match state.schemas.iter().rposition(|(of, _)| of == subject) {
                Some(at) => {
                    let mut found = state.schemas[at].1.clone();
                    found["id"] = (at + 1).into();
                    (200, found.to_string())
                }
                None => problem(404, 40401, "Subject not found."),
            }
        }
        ["POST", "subjects", subject, ref rest @ ..] if matches!(rest, [] | ["versions"]) => {
            let text = body["schema"].as_str().unwrap_or_default();
            if text.contains("invalid") {
                return problem(422, 42201, "Invalid schema");
            }
            let at = state.schemas.iter().position(|(of, known)| of == subject && same(known));
            if at.is_none() && rest.is_empty() {
                return problem(404, 40403, "Schema not found");
            }
            let at = at.unwrap_or_else(|| {
                state.schemas.push((subject.to_owned(), body));
                state.schemas.len() - 1
            });
            (200, json!({ "id": at + 1 }).to_string())
        }
        _ => (404, "not here".into()),
    }
}
