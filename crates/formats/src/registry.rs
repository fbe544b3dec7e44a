//! A client of schema registries that speak Confluent's REST API.
//!
//! A [`Registry`] is configuration and a handle: its clones share one cache and one background
//! thread, which starts with the first question and is the only one that talks to the network.
//! Formats look into the cache and never wait; what is not there is asked for, and whoever waits
//! for it is woken.
//!
//! What is found stays: ids are never given twice. "There is no such schema" is believed for ten
//! seconds. A registry that cannot be reached is asked again with growing pauses, until
//! [`give_up_after`](Registry::give_up_after) has passed.
//!
//! Kept registry clients exist (`schema_registry_converter`, `schema-registry-client`); both are
//! asynchronous over reqwest, fetch while they decode, and bring their own Avro and Protobuf
//! stacks. This needs four requests and an answer that does not block.
//!
//! What it does not do: schema references, Kerberos, proxies, client certificates.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use headwater_core::{Error, Result, Secret, Wake};

use crate::limits::Limits;
use answers::Answer;
use client::Client;

mod answers;
mod client;
mod compiled;
mod http;
mod subject;

pub(crate) use answers::{Failure, FailureKind};
pub(crate) use compiled::Compiled;
pub(crate) use subject::Subject;

/// A schema registry.
///
/// # Examples
/// ```
/// use headwater_formats::Registry;
///
/// let registry = Registry::new("https://registry.example:8081").basic_auth("orders", "open sesame");
/// # let _ = registry;
/// ```
#[derive(Clone, Debug)]
pub struct Registry {
    options: Options,
    client: Arc<OnceLock<Result<Client, String>>>,
}

#[derive(Clone, Debug)]
struct Options {
    url: String,
    credentials: Credentials,
    trusted_pem: Option<Vec<u8>>,
    timeout: Duration,
    give_up_after: Duration,
    limits: Limits,
}

#[derive(Clone, Debug)]
enum Credentials {
    None,
    Basic(String, Secret),
    Bearer(Secret),
}

impl Registry {
    /// The registry at this address, `http` or `https`, with or without a path.
    pub fn new(url: impl Into<String>) -> Self {
        let url: String = url.into();
        Registry::with(Options {
            url: url.trim_end_matches('/').to_owned(),
            credentials: Credentials::None,
            trusted_pem: None,
            timeout: Duration::from_secs(10),
            give_up_after: Duration::from_secs(60),
            limits: Limits::default(),
        })
    }

    fn with(options: Options) -> Self {
        Registry { options, client: Arc::default() }
    }

    /// Sends a user name and password.
    pub fn basic_auth(self, user: impl Into<String>, password: impl Into<Secret>) -> Self {
        let credentials = Credentials::Basic(user.into(), password.into());
        Registry::with(Options { credentials, ..self.options })
    }

    /// Sends a bearer token.
    pub fn bearer(self, token: impl Into<Secret>) -> Self {
        Registry::with(Options { credentials: Credentials::Bearer(token.into()), ..self.options })
    }

    /// Trusts these certificates (PEM) instead of the public authorities.
    pub fn trust(self, pem: impl Into<Vec<u8>>) -> Self {
        Registry::with(Options { trusted_pem: Some(pem.into()), ..self.options })
    }

    /// How long one request may take: 10 seconds unless said otherwise.
    pub fn timeout(self, timeout: Duration) -> Self {
        Registry::with(Options { timeout, ..self.options })
    }

    /// How long a registry that cannot be reached is asked again before the attempt fails: one
    /// minute unless said otherwise.
    pub fn give_up_after(self, give_up_after: Duration) -> Self {
        Registry::with(Options { give_up_after, ..self.options })
    }

    /// Other limits than the default, for the schemas.
    pub fn limits(self, limits: Limits) -> Self {
        Registry::with(Options { limits, ..self.options })
    }

    /// What is known about a question. When it is nothing yet, the answer is being fetched, and
    /// `wake` is called when asking again is worth it.
    pub(crate) fn look(&self, question: &Question, wake: Option<&Wake>) -> Result<Answer> {
        Ok(self.client()?.look(question, wake))
    }

    /// Waits for an answer: for `validate` only.
    pub(crate) fn ask(&self, question: &Question) -> Result<Arc<Registered>> {
        self.client()?.ask(question)
    }

    /// Whether the registry answers and lets us read schemas: asks for the first one, which may
    /// well not exist. For `validate` only.
    pub(crate) fn check_reading(&self) -> Result<()> {
        match self.client()?.wait(&Question::Schema(1)) {
            Err(failure) if failure.kind != FailureKind::Unknown => Err(failure.into()),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn client(&self) -> Result<&Client> {
        let started = self.client.get_or_init(|| Client::start(&self.options));
        started.as_ref().map_err(|reason| {
            Error::config(reason.clone())
                .hint("an address looks like https://registry.example:8081; user and password go into basic_auth")
        })
    }
}

/// What can be asked. Equal questions have one answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Question {
    /// The schema with this id.
    Schema(u32),
    /// The id of a schema that the subject has.
    Find { subject: String, language: Language, text: String },
    /// The id of a schema that the subject gets unless it has it.
    Register { subject: String, language: Language, text: String },
}

/// What schemas are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Language {
    Avro,
    Protobuf,
    Other,
}

impl std::fmt::Display for Language {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Language::Avro => "Avro",
            Language::Protobuf => "Protobuf",
            Language::Other => "another language",
        })
    }
}

/// A schema as a registry has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registered {
    pub(crate) id: u32,
    pub(crate) language: Language,
    pub(crate) text: String,
}

/// How a serializer comes to the id of its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// The schema is registered under the subject unless it is there. The default.
    Register,
    /// The schema must be there; who may write schemas decides that elsewhere.
    MustExist,
}

impl Registration {
    pub(crate) fn question(self, subject: &str, language: Language, text: &str) -> Question {
        let (subject, text) = (subject.to_owned(), text.to_owned());
        match self {
            Registration::Register => Question::Register { subject, language, text },
            Registration::MustExist => Question::Find { subject, language, text },
        }
    }
}
