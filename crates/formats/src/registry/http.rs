//! One question, one request: the REST API, and what its errors mean.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use headwater_core::Secret;
use serde::Deserialize;
use serde_json::json;
use ureq::Agent;
use ureq::http::{Response, StatusCode};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::{Credentials, Failure, FailureKind, Language, Options, Question, Registered};

const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";
/// Most of an error's text that is passed on.
const MAX_REASON_CHARS: usize = 300;

/// The client of one registry.
pub(super) struct Http {
    agent: Agent,
    url: String,
    authorization: Option<Secret>,
    max_schema_bytes: usize,
}

/// What any of the requests answers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    id: Option<u32>,
    schema: Option<String>,
    schema_type: Option<String>,
    #[serde(default)]
    references: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize, Default)]
struct Problem {
    error_code: Option<u32>,
    #[serde(default)]
    message: String,
}

impl Http {
    pub(super) fn new(options: &Options) -> Result<Self, String> {
        let url = options.url.clone();
        let uri: ureq::http::Uri =
            url.parse().map_err(|_| "the schema registry's address is no URL".to_owned())?;
        // Whatever is in front of an `@` may be a password, so nothing of it is repeated.
        if uri.authority().is_none_or(|a| a.as_str().contains('@')) {
            return Err("the schema registry's address has no host, or has credentials".into());
        }
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(format!("schema registry {url:?} is neither http nor https"));
        }
        let mut tls = TlsConfig::builder();
        if let Some(pem) = &options.trusted_pem {
            tls = tls.root_certs(RootCerts::Specific(Arc::new(certificates(pem)?)));
        }
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(options.timeout))
            .tls_config(tls.build())
            .proxy(None)
            .user_agent("headwater")
            .build()
            .new_agent();
        let authorization = match &options.credentials {
            Credentials::None => None,
            Credentials::Bearer(token) => Some(Secret::new(format!("Bearer {}", token.expose()))),
            Credentials::Basic(user, password) => {
                let pair = format!("{user}:{}", password.expose());
                Some(Secret::new(format!("Basic {}", BASE64_STANDARD.encode(pair))))
            }
        };
        Ok(Http { agent, url, authorization, max_schema_bytes: options.limits.schema_bytes })
    }

    /// Puts one question.
    pub(super) fn ask(&self, question: &Question) -> Result<Registered, Failure> {
        let found = match question {
            Question::Schema(id) => self.request(&format!("/schemas/ids/{id}"), None)?,
            Question::Find { subject, language, text } => self
                .request(&format!("/subjects/{}", encoded(subject)), Some(body(*language, text)))?,
            Question::Register { subject, language, text } => self.request(
                &format!("/subjects/{}/versions", encoded(subject)),
                Some(body(*language, text)),
            )?,
        };
        self.registered(question, found)
    }

    fn request(&self, path: &str, body: Option<String>) -> Result<Found, Failure> {
        let url = format!("{}{path}", self.url);
        let away = |e: ureq::Error| {
            let text = format!("cannot reach schema registry {}: {e}", self.url);
            Failure { kind: FailureKind::Away, text }
        };
        let mut response = match body {
            None => self.headers(self.agent.get(&url)).call(),
            Some(body) => self.headers(self.agent.post(&url)).content_type(CONTENT_TYPE).send(body),
        }
        .map_err(away)?;
        // Escaping may double a text.
        let limit = self.max_schema_bytes.saturating_mul(2).saturating_add(1 << 16);
        let text =
            response.body_mut().with_config().limit(limit as u64).read_to_vec().map_err(away)?;
        match response.status().is_success() {
            true => serde_json::from_slice(&text).map_err(|e| {
                let text = format!("schema registry {} gave no schema: {e}", self.url);
                Failure { kind: FailureKind::Denied, text }
            }),
            false => Err(self.failure(path, &response, &text)),
        }
    }

    fn headers<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        let request = request.header("Accept", format!("{CONTENT_TYPE}, application/json"));
        match &self.authorization {
            Some(value) => request.header("Authorization", value.expose()),
            None => request,
        }
    }

    fn failure<B>(&self, path: &str, response: &Response<B>, text: &[u8]) -> Failure {
        let (url, status) = (&self.url, response.status());
        let problem: Problem = serde_json::from_slice(text).unwrap_or_default();
        let mut reason: String = problem.message.chars().take(MAX_REASON_CHARS).collect();
        if reason.is_empty() {
            reason = status.to_string();
        }
        let kind = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let text = format!("schema registry {url} refuses us ({status}): {reason}");
                return Failure { kind: FailureKind::Denied, text };
            }
            // Of another server, or below another path.
            StatusCode::NOT_FOUND if problem.error_code.is_none() => FailureKind::Denied,
            StatusCode::NOT_FOUND
            | StatusCode::CONFLICT
            | StatusCode::UNPROCESSABLE_ENTITY
            | StatusCode::BAD_REQUEST => FailureKind::Unknown,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => FailureKind::Away,
            status if status.is_server_error() => FailureKind::Away,
            _ => FailureKind::Denied,
        };
        Failure { kind, text: format!("schema registry {url}{path}: {reason}") }
    }

    fn registered(&self, question: &Question, found: Found) -> Result<Registered, Failure> {
        let unknown = |text| Err(Failure { kind: FailureKind::Unknown, text });
        let (id, language, text) = match question {
            Question::Schema(id) => (Some(*id), None, found.schema),
            Question::Find { language, text, .. } | Question::Register { language, text, .. } => {
                (found.id, Some(*language), Some(text.clone()))
            }
        };
        let language = language.unwrap_or(match found.schema_type.as_deref() {
            None | Some("AVRO") => Language::Avro,
            Some("PROTOBUF") => Language::Protobuf,
            Some(_) => Language::Other,
        });
        let (Some(id), Some(text)) = (id, text) else {
            let text = format!("schema registry {} gave neither id nor schema", self.url);
            return Err(Failure { kind: FailureKind::Denied, text });
        };
        if !found.references.is_empty() {
            return unknown(format!("schema {id} refers to other schemas, which is not supported"));
        }
        let (len, max) = (text.len(), self.max_schema_bytes);
        if len > max {
            return unknown(format!("schema {id} of {len} bytes, {max} bytes are allowed"));
        }
        Ok(Registered { id, language, text })
    }
}

fn body(language: Language, text: &str) -> String {
    match language {
        Language::Protobuf => json!({ "schemaType": "PROTOBUF", "schema": text }),
        Language::Avro | Language::Other => json!({ "schema": text }),
    }
    .to_string()
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate<'static>>, String> {
    let mut certificates = Vec::new();
    for item in parse_pem(pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(e) => return Err(format!("cannot read the trusted certificates: {e}")),
        }
    }
    match certificates.is_empty() {
        true => Err("no certificate among the trusted ones: they must be PEM".into()),
        false => Ok(certificates),
    }
}

/// A subject as one segment of a path.
fn encoded(subject: &str) -> String {
    let mut text = String::new();
    for byte in subject.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                text.push(char::from(byte));
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}
