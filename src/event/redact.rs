//! The one door through which text from the outside enters events: secrets stay behind it.

use percent_encoding::{
    AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode,
};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

/// What stands in place of a secret.
const MASK: &str = "‹redacted›";
/// Longest text that is kept of anything a stack says.
const MAX_CHARS: usize = 400;
/// A shorter secret would blot out innocent text, and is no secret.
const MIN_SECRET: usize = 4;

/// Text that has passed a [`Redactor`]: no secret, no control characters, of bounded length.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Redacted(String);

impl Redacted {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Knows the secrets of a run, in each form in which they travel.
#[derive(Clone, Default)]
pub struct Redactor {
    needles: Vec<String>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} forms of secrets)", self.needles.len())
    }
}

impl Redactor {
    /// Adds a secret, also as it looks when percent-encoded, in JSON and in Base64.
    pub fn add(&mut self, secret: &str) {
        if secret.len() < MIN_SECRET || self.needles.iter().any(|n| n == secret) {
            return;
        }
        let json = serde_json::Value::from(secret).to_string();
        let mut forms = vec![
            secret.to_owned(),
            json.get(1..json.len() - 1).unwrap_or_default().to_owned(),
            url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
            percent_decode_str(secret).decode_utf8_lossy().into_owned(),
            STANDARD.encode(secret),
            URL_SAFE_NO_PAD.encode(secret),
        ];
        for set in [QUERY, PATH, COMPONENT, NON_ALPHANUMERIC] {
            let encoded = utf8_percent_encode(secret, set).to_string();
            // In an address, what follows a `#` is not sent, so that what is told of it may end there.
            let sent = encoded.split('#').next().unwrap_or_default();
            forms.extend([lower_hex(sent), sent.to_owned(), lower_hex(&encoded)]);
            forms.push(encoded);
        }
        forms.retain(|form| form.len() >= MIN_SECRET);
        self.needles.append(&mut forms);
        // Longest first, so that a secret that contains another is masked whole.
        self.needles.sort_by_key(|n| std::cmp::Reverse(n.len()));
        self.needles.dedup();
    }

    /// Whether there is a secret in a text.
    #[must_use]
    pub fn knows(&self, text: &str) -> bool {
        self.needles.iter().any(|n| text.contains(n.as_str()))
    }

    /// The text without secrets and control characters, cut to a length that fits a report.
    #[must_use]
    pub fn text(&self, text: &str) -> Redacted {
        // Cut late: a secret that straddles the cut must still be found.
        let mut clean = text.chars().take(64 * 1024).collect::<String>();
        for needle in &self.needles {
            if clean.contains(needle.as_str()) {
                clean = clean.replace(needle.as_str(), MASK);
            }
        }
        let mut kept = String::with_capacity(clean.len().min(MAX_CHARS * 2));
        for (n, c) in clean.chars().enumerate() {
            if n == MAX_CHARS {
                kept.push('…');
                break;
            }
            kept.push(if visible(c) { c } else { '\u{fffd}' });
        }
        Redacted(kept)
    }
}

/// As [`utf8_percent_encode`] writes it, with the digits that other programs prefer.
fn lower_hex(encoded: &str) -> String {
    let mut out = String::with_capacity(encoded.len());
    let mut digits = 0;
    for c in encoded.chars() {
        if digits > 0 {
            out.push(c.to_ascii_lowercase());
            digits -= 1;
        } else {
            out.push(c);
        }
        if c == '%' {
            digits = 2;
        }
    }
    out
}

/// What is encoded in a query, in a path, and in one part of a path, by the URL standard.
const QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'\'');
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'?')
    .add(b'{')
    .add(b'}')
    .add(b'^');
const COMPONENT: &AsciiSet = &PATH
    .add(b'#')
    .add(b'/')
    .add(b'%')
    .add(b':')
    .add(b'@')
    .add(b'&')
    .add(b'=')
    .add(b'+');

/// Neither a control character nor one that turns the direction of text around it.
fn visible(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_masked_in_every_form_it_travels_in() {
        let mut redactor = Redactor::default();
        redactor.add("hunter2 & \"co\"");
        for form in [
            "hunter2 & \"co\"",
            "hunter2+%26+%22co%22",
            "hunter2 & \\\"co\\\"",
            "hunter2%20&%20%22co%22",
            "hunter2%20%26%20%22co%22",
            &STANDARD.encode("hunter2 & \"co\""),
        ] {
            let out = redactor.text(&format!("login with {form} failed"));
            assert_eq!(out.as_str(), "login with ‹redacted› failed");
        }
    }

    #[test]
    fn a_secret_in_an_address_is_masked_as_addresses_write_it() {
        let mut redactor = Redactor::default();
        redactor.add("hunter2 secret/ü#x");
        for text in [
            "GET http://h/q/hunter2 secret/ü#x",
            "GET http://h/q/hunter2%20secret/%C3%BC",
            "GET http://h/q/hunter2%20secret/%c3%bc",
            "GET http://h/q?p=hunter2%20secret%2F%C3%BC%23x",
        ] {
            let out = redactor.text(text);
            assert!(!out.as_str().contains("hunter2"), "{out}");
        }
        // The password of an address is known as it is written there, and said as it is meant.
        redactor.add("p%40ssword");
        assert_eq!(
            redactor.text("no p@ssword here").as_str(),
            "no ‹redacted› here"
        );
    }

    #[test]
    fn a_secret_inside_another_leaves_no_rest() {
        let mut redactor = Redactor::default();
        redactor.add("token");
        redactor.add("token-of-ten");
        assert_eq!(redactor.text("x token-of-ten y").as_str(), "x ‹redacted› y");
    }

    #[test]
    fn text_is_bounded_and_harmless() {
        let redactor = Redactor::default();
        let out = redactor.text(&format!("\u{1b}[31m\u{202e}{}", "a".repeat(1_000_000)));
        assert!(out.as_str().chars().count() <= MAX_CHARS + 1);
        assert!(!out.as_str().contains(['\u{1b}', '\u{202e}']));
    }
}
