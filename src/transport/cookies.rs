//! The cookies of one user, kept and sent by the rules of RFC 6265bis.

use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cookie::Cookie;
use http::{HeaderMap, HeaderValue, header};

use crate::plan::{Address, Origin};

/// Most bytes of a cookie's name and value, as in browsers.
const MOST_BYTES: usize = 4096;
/// Most cookies of one user; beyond, the oldest go.
const MOST: usize = 200;
/// Most values that are remembered as secrets.
const MOST_SEEN: usize = 1000;

/// What a user has been given. There is no jar before the first cookie comes.
#[derive(Debug, Default)]
pub(super) struct Jar {
    kept: Vec<Kept>,
    seen: Vec<String>,
}

struct Kept {
    name: String,
    value: String,
    /// The host that set it, or the domain that it said.
    domain: String,
    /// Whether it goes to that host alone, and not to those under it.
    host_only: bool,
    path: String,
    secure: bool,
    until: Option<Instant>,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kept")
    }
}

impl Jar {
    /// Every value that came in this journey, also of cookies that are gone: no report may show them.
    pub(super) fn seen(&self) -> &[String] {
        &self.seen
    }

    /// Takes what an answer from an address sets.
    pub(super) fn store(&mut self, from: &Address, headers: &HeaderMap) {
        for value in headers.get_all(header::SET_COOKIE) {
            let parsed = std::str::from_utf8(value.as_bytes())
                .ok()
                .and_then(|text| Cookie::parse(text).ok());
            if let Some(cookie) = parsed {
                self.take(from, &cookie);
            }
        }
    }

    fn take(&mut self, from: &Address, cookie: &Cookie<'_>) {
        let now = Instant::now();
        let until = expiry(cookie, now);
        let gone = until.is_some_and(|until| until <= now);
        let value = cookie.value_trimmed();
        // What only takes a cookie away says a word like `deleted`, which is no secret.
        if !gone && self.seen.len() < MOST_SEEN && !self.seen.iter().any(|s| s == value) {
            self.seen.push(value.to_owned());
        }
        let Some(kept) = Kept::of(from, cookie, until) else {
            return;
        };
        let same = |k: &Kept| k.name == kept.name && k.domain == kept.domain && k.path == kept.path;
        match self.kept.iter_mut().find(|k| same(k)) {
            // It keeps its place: a cookie is as old as its first value.
            Some(before) if !gone => *before = kept,
            Some(_) => self.kept.retain(|k| !same(k)),
            None if !gone => {
                self.kept
                    .retain(|k| k.until.is_none_or(|until| until > now));
                if self.kept.len() >= MOST {
                    self.kept.remove(0);
                }
                self.kept.push(kept);
            }
            None => {}
        }
    }

    /// The `cookie` header for a request to an address; nothing if no cookie belongs there.
    pub(super) fn header(&self, to: &Address) -> Option<HeaderValue> {
        let now = Instant::now();
        let mut fitting: Vec<_> = self.kept.iter().filter(|k| k.fits(to, now)).collect();
        if fitting.is_empty() {
            return None;
        }
        // The most particular first; the sort is stable, so that older ones come before younger.
        fitting.sort_by_key(|k| std::cmp::Reverse(k.path.len()));
        let pairs: Vec<_> = fitting
            .iter()
            .map(|k| format!("{}={}", k.name, k.value))
            .collect();
        HeaderValue::from_str(&pairs.join("; ")).ok()
    }
}

impl Kept {
    /// The cookie as it is kept; nothing if that server must not set it.
    fn of(from: &Address, cookie: &Cookie<'_>, until: Option<Instant>) -> Option<Self> {
        let (name, value) = (cookie.name(), cookie.value());
        if name.len() + value.len() > MOST_BYTES {
            return None;
        }
        let host = from.origin.host.as_str();
        let said = cookie.domain().map(str::to_ascii_lowercase);
        let said = said.filter(|domain| !domain.is_empty());
        let domain = match said {
            None => None,
            // An address, `localhost` or a public suffix has nothing under it that is the same site.
            Some(domain) if domain == host => {
                (!is_address(host) && is_site(host)).then_some(domain)
            }
            Some(domain) if is_under(host, &domain) && is_site(&domain) => Some(domain),
            Some(_) => return None,
        };
        let secure = cookie.secure().unwrap_or(false);
        let path = match cookie.path() {
            Some(path) if path.starts_with('/') => path.to_owned(),
            _ => default_path(from.path.path()).to_owned(),
        };
        let is = |prefix: &str| {
            name.get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        let refused = secure && !is_trusted(&from.origin)
            || is("__secure-") && !secure
            || is("__host-") && !(secure && domain.is_none() && cookie.path() == Some("/"));
        (!refused).then(|| Self {
            name: name.to_owned(),
            value: value.to_owned(),
            host_only: domain.is_none(),
            domain: domain.unwrap_or_else(|| host.to_owned()),
            path,
            secure,
            until,
        })
    }

    fn fits(&self, to: &Address, now: Instant) -> bool {
        let host = to.origin.host.as_str();
        let at_home = host == self.domain || !self.host_only && is_under(host, &self.domain);
        at_home
            && covers(&self.path, to.path.path())
            && (!self.secure || is_trusted(&to.origin))
            && self.until.is_none_or(|until| until > now)
    }
}

/// When a cookie ends; nothing if that is when the journey ends.
fn expiry(cookie: &Cookie<'_>, now: Instant) -> Option<Instant> {
    let seconds = match cookie.max_age() {
        Some(age) => age.whole_seconds(),
        None => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
            let until = cookie.expires_datetime()?.unix_timestamp();
            until.saturating_sub_unsigned(now)
        }
    };
    // One that ends later than clocks can tell never does.
    let left = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    now.checked_add(left)
}

fn is_address(host: &str) -> bool {
    host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}

/// Whether a domain belongs to somebody, as `co.uk` does not.
fn is_site(domain: &str) -> bool {
    psl::domain_str(domain).is_some()
}

/// Whether a host is part of a domain, and not the domain itself.
fn is_under(host: &str, domain: &str) -> bool {
    !is_address(host)
        && host
            .strip_suffix(domain)
            .is_some_and(|rest| rest.ends_with('.'))
}

/// Whether nobody can listen: over TLS, or inside of this machine, as browsers see it.
fn is_trusted(origin: &Origin) -> bool {
    let host = origin.host.trim_matches(['[', ']']);
    origin.tls
        || host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn default_path(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(at) => path.get(..at).unwrap_or("/"),
    }
}

/// Whether a cookie of one path goes to another.
fn covers(path: &str, asked: &str) -> bool {
    asked
        .strip_prefix(path)
        .is_some_and(|rest| rest.is_empty() || path.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests;
