//! Parts of URLs, cut as `java.net.URL` cuts them: nothing is decoded or normalised.

use datafusion::arrow::array::ArrayRef;
use datafusion::common::Result;

use crate::functions::args::Call;
use crate::functions::native::Spec;
use crate::functions::params::Param::Text;
use crate::functions::returns;

/// The functions of this module.
pub(super) static SPECS: &[Spec] = &[
    Spec::new(
        "parse_url",
        &[("url", Text), ("part", Text), ("key", Text)],
        returns::text,
        parse_url,
    )
    .required(2),
    Spec::new("url_encode", &[("string", Text)], returns::text, url_encode),
    Spec::new("url_decode", &[("string", Text)], returns::text, url_decode),
];

struct Url<'a> {
    protocol: &'a str,
    authority: &'a str,
    path: &'a str,
    /// Path and query.
    file: &'a str,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

impl<'a> Url<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (protocol, rest) = text.trim().split_once(':')?;
        let protocols = ["http", "https", "ftp", "file", "jar", "mailto"];
        if !protocols.iter().any(|known| protocol.eq_ignore_ascii_case(known)) {
            return None;
        }
        let (rest, fragment) = match rest.split_once('#') {
            Some((rest, fragment)) => (rest, Some(fragment)),
            None => (rest, None),
        };
        let (authority, file) = match rest.strip_prefix("//") {
            Some(rest) => rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len())),
            None => ("", rest),
        };
        let (path, query) = match file.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (file, None),
        };
        Some(Url { protocol, authority, path, file, query, fragment })
    }

    fn user(&self) -> Option<&'a str> {
        self.authority.rsplit_once('@').map(|(user, _)| user)
    }

    fn host(&self) -> &'a str {
        let host = self.authority.rsplit_once('@').map_or(self.authority, |(_, host)| host);
        match host.find(']') {
            Some(end) if host.starts_with('[') => &host[..=end],
            _ => host.split(':').next().unwrap_or(host),
        }
    }

    fn part(&self, name: &str) -> Option<&'a str> {
        match name {
            "HOST" => Some(self.host()),
            "PATH" => Some(self.path),
            "QUERY" => self.query,
            "REF" => self.fragment,
            "PROTOCOL" => Some(self.protocol),
            "FILE" => Some(self.file),
            "AUTHORITY" => Some(self.authority),
            "USERINFO" => self.user(),
            _ => None,
        }
    }

    fn query_key(&self, key: &str) -> Option<&'a str> {
        let pairs = self.query?.split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }
}

fn parse_url(call: &Call<'_>) -> Result<ArrayRef> {
    let (url, part) = (call.texts(0)?, call.texts(1)?);
    if !call.has(2) {
        return call.to_texts(|row| {
            let (url, part) = (url.at(row)?, part.at(row)?);
            Url::parse(url)?.part(part)
        });
    }
    let key = call.texts(2)?;
    call.to_texts(|row| {
        let (url, part, key) = (url.at(row)?, part.at(row)?, key.at(row)?);
        if part != "QUERY" {
            return None;
        }
        Url::parse(url)?.query_key(key)
    })
}

fn url_encode(call: &Call<'_>) -> Result<ArrayRef> {
    let text = call.texts(0)?;
    call.to_texts(|row| {
        Some(form_urlencoded::byte_serialize(text.at(row)?.as_bytes()).collect::<String>())
    })
}

/// What is not encoded text is NULL.
fn url_decode(call: &Call<'_>) -> Result<ArrayRef> {
    let text = call.texts(0)?;
    call.to_texts(|row| {
        let mut bytes = Vec::new();
        let mut rest = text.at(row)?.as_bytes();
        while let Some((first, behind)) = rest.split_first() {
            rest = behind;
            match first {
                b'+' => bytes.push(b' '),
                b'%' => {
                    let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
                    bytes.push(u8::from_str_radix(digits, 16).ok()?);
                    rest = &rest[2..];
                }
                other => bytes.push(*other),
            }
        }
        String::from_utf8(bytes).ok()
    })
}
