//! The one door through which text from the outside enters events: secrets stay behind it.

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
            STANDARD.encode(secret),
            URL_SAFE_NO_PAD.encode(secret),
        ];
        self.needles.append(&mut forms);
        // Longest first, so that a secret that contains another is masked whole.
        self.needles.sort_by_key(|n| std::cmp::Reverse(n.len()));
        self.needles.dedup();
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
            &STANDARD.encode("hunter2 & \"co\""),
        ] {
            let out = redactor.text(&format!("login with {form} failed"));
            assert_eq!(out.as_str(), "login with ‹redacted› failed");
        }
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
