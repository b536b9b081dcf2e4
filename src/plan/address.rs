//! Where a request goes, read as far as possible before it is sent.

use std::fmt;
use std::sync::Arc;

use http::HeaderValue;
use http::uri::PathAndQuery;
use url::{Position, Url};

use super::template::{Template, Variable};

/// Host, port and whether TLS is spoken: what a connection is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Name or address; IPv6 in brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether TLS is spoken.
    pub tls: bool,
    /// What the `host` header says.
    pub header: HeaderValue,
}

/// An absolute address of HTTP or WebSocket, in the parts that a request is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Where to connect.
    pub origin: Arc<Origin>,
    /// What is asked for there.
    pub path: PathAndQuery,
}

/// Why a text is no address that can be sent to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoAddress(String);

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// When it is not an absolute address with a host, of `http`, `https`, `ws` or `wss`.
    pub fn parse(text: &str) -> Result<Self, NoAddress> {
        let refuse = |problem: &dyn fmt::Display| {
            NoAddress(format!("`{text}` is not an address: {problem}"))
        };
        let url = Url::parse(text).map_err(|e| refuse(&e))?;
        let tls = matches!(url.scheme(), "https" | "wss");
        if !tls && !matches!(url.scheme(), "http" | "ws") {
            return Err(refuse(&format!(
                "nothing can be sent to `{}:`",
                url.scheme()
            )));
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(refuse(&"it names no host"));
        };
        let header = HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort])
            .map_err(|e| refuse(&e))?;
        let path = url[Position::BeforePath..Position::AfterQuery]
            .parse()
            .map_err(|e| refuse(&e))?;
        let host = host.to_owned();
        let origin = Arc::new(Origin {
            host,
            port,
            tls,
            header,
        });
        Ok(Self { origin, path })
    }

    /// The address that begins with this one and goes on with `rest`; nothing if it has to be read as a whole.
    fn followed_by(&self, rest: &str) -> Option<Self> {
        // Anything that reading an address would change: spaces, other alphabets, `..`, a fragment, a query before.
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"/-_~%?&=+:@!$'()*,;".contains(&b);
        let simple = rest.starts_with('/')
            && rest.bytes().all(|b| plain(b) || b == b'.')
            && !rest.contains("/.");
        if !simple || self.path.query().is_some() {
            return None;
        }
        let before = self.path.path().trim_end_matches('/');
        let path =
            PathAndQuery::from_maybe_shared(bytes::Bytes::from(format!("{before}{rest}"))).ok()?;
        let origin = Arc::clone(&self.origin);
        Some(Self { origin, path })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.origin.tls { "https" } else { "http" };
        let host = self.origin.header.to_str().unwrap_or(&self.origin.host);
        write!(f, "{scheme}://{host}{}", self.path)
    }
}

/// The address of a step's request: as much of it as is known before a run.
#[derive(Debug, Clone)]
pub enum Destination {
    /// All of it.
    Fixed(Address),
    /// The environment's own address, followed by what is filled in each time.
    Under(Address, Template),
    /// Nothing: it is filled in and read each time.
    Open(Template),
}

impl Destination {
    /// The destination that a template names in an environment with this base address.
    #[must_use]
    pub fn of(template: &Template, base: &str) -> Self {
        let open = || Self::Open(template.clone());
        let Some(rest) = template.after(&Variable::Named("url".to_owned())) else {
            // An address that is wrong is told by the step that uses it.
            return template
                .constant()
                .and_then(|text| Address::parse(&text).ok())
                .map_or_else(open, Self::Fixed);
        };
        let Ok(under) = Address::parse(base) else {
            return open();
        };
        match rest.constant() {
            Some(rest) => {
                Address::parse(&format!("{base}{rest}")).map_or_else(|_| open(), Self::Fixed)
            }
            None => Self::Under(under, rest),
        }
    }

    /// The address, with what `fill` makes of a template.
    ///
    /// # Errors
    /// What `fill` refuses, or that the text is no address.
    pub fn resolve<E: From<NoAddress>>(
        &self,
        base: &str,
        fill: impl FnOnce(&Template) -> Result<String, E>,
    ) -> Result<Address, E> {
        match self {
            Self::Fixed(address) => Ok(address.clone()),
            Self::Under(under, rest) => {
                let rest = fill(rest)?;
                match under.followed_by(&rest) {
                    Some(address) => Ok(address),
                    None => Ok(Address::parse(&format!("{base}{rest}"))?),
                }
            }
            Self::Open(template) => Ok(Address::parse(&fill(template)?)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Located, SourceFile};
    use proptest::prelude::*;

    fn template(text: &str) -> Template {
        let source = SourceFile::new("t.yaml", text);
        let located = Located {
            value: text.to_owned(),
            span: 0..text.len(),
        };
        Template::parse(&source, &located).unwrap()
    }

    #[test]
    fn what_is_known_before_is_read_before() {
        let base = "http://h:8080/api";
        let of = |text: &str| Destination::of(&template(text), base);
        assert!(
            matches!(of("${url}/x?y=1"), Destination::Fixed(a) if a.to_string() == "http://h:8080/api/x?y=1")
        );
        assert!(
            matches!(of("https://other/x"), Destination::Fixed(a) if a.origin.tls && a.origin.port == 443)
        );
        assert!(matches!(of("${url}/${id}"), Destination::Under(..)));
        assert!(matches!(of("http://${host}/"), Destination::Open(_)));
        assert!(
            matches!(of("ftp://h/"), Destination::Open(_)),
            "told when it is used"
        );
    }

    #[test]
    fn what_cannot_be_sent_to_is_refused() {
        for (text, says) in [
            ("", "relative"),
            ("/x", "relative"),
            ("ftp://h/", "nothing can be sent"),
            ("http://", "host"),
            ("data:x", "nothing can be sent"),
        ] {
            let error = Address::parse(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn the_short_way_leads_to_the_same_place(rest in "[/a-zé .%?&=#:@+\\\\0-9-]{0,12}", base in prop_oneof![Just("http://h"), Just("https://h:8443/a/b")]) {
            let under = Address::parse(base).unwrap();
            if let Some(short) = under.followed_by(&rest) {
                prop_assert_eq!(Ok(short), Address::parse(&format!("{base}{rest}")));
            }
        }
    }
}
