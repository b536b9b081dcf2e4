//! Redirects: where they may lead, and what another server may be told on the way.

use std::time::Instant;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;
use url::Url;

use super::TransportError;
use super::body::too_long;
use super::client::{Begun, Client, Limits, Seen};
use crate::event::ErrorKind;
use crate::plan::{Address, Origin};

/// How redirects are followed.
pub struct Redirects<'a> {
    /// Most of them, one after the other.
    pub most: u8,
    /// Whether a header's value or a body holds something that only the first server may know.
    pub is_secret: &'a (dyn Fn(&str) -> bool + Sync),
}

/// What belongs to a body, and goes with it.
const OF_A_BODY: [header::HeaderName; 6] = [
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LOCATION,
    header::TRANSFER_ENCODING,
];
/// What is only for the server that it was written for, whatever it holds.
const OF_AN_ORIGIN: [header::HeaderName; 4] = [
    header::HOST,
    header::AUTHORIZATION,
    header::PROXY_AUTHORIZATION,
    header::COOKIE,
];

impl Client {
    /// Sends a request and waits for the headers of the first answer that is no redirect. Also tells the bytes of
    /// the bodies before. All of it counts from `sent`, and within the one time limit around it.
    pub(super) async fn follow(
        &mut self,
        address: &Address,
        mut request: Request<Full<Bytes>>,
        limits: Limits,
        redirects: &Redirects<'_>,
        sent: Instant,
        seen: &mut Seen,
    ) -> Result<(Begun, u64), TransportError> {
        let mut address = address.clone();
        let mut chain = vec![shown(&address)];
        let (mut connect, mut passed) = (None, 0);
        loop {
            let mut begun = self.begin(&address, request.clone(), sent).await?;
            if chain.len() == 1 {
                connect = begun.timings.connect;
            }
            begun.timings.connect = connect;
            let status = begun.head.status;
            seen.status = Some(status.as_u16());
            seen.timings = begun.timings;
            let location = begun.head.headers.get(header::LOCATION);
            let Some(location) = location.filter(|_| is_redirect(status)) else {
                return Ok((begun, passed));
            };
            let next = target(&address, location)?;
            chain.push(shown(&next));
            if chain.len() > usize::from(redirects.most) + 1 {
                return Err(broken(format!(
                    "redirected more than {} times: {}",
                    redirects.most,
                    chain.join(" → ")
                )));
            }
            request = adapted(request, status, &address.origin, &next, redirects)?;
            passed += self.discard(begun, limits.max_body).await?;
            address = next;
        }
    }

    /// Reads a body that nobody asks for, so that its connection can be kept.
    async fn discard(&mut self, begun: Begun, most: usize) -> Result<u64, TransportError> {
        let Begun {
            mut body,
            mut connection,
            origin,
            ..
        } = begun;
        let mut length = 0;
        while let Some(data) = connection.piece(&mut body).await {
            length += data?.len();
            if length > most {
                return Err(too_long(most));
            }
        }
        self.keep(origin, connection);
        Ok(length as u64)
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn broken(message: String) -> TransportError {
    TransportError::new(ErrorKind::Protocol, message)
}

/// An address without its query: what a server puts there is often for one reader only.
fn shown(address: &Address) -> String {
    let text = address.to_string();
    text.split('?').next().unwrap_or_default().to_owned()
}

/// Where a redirect leads.
fn target(from: &Address, location: &HeaderValue) -> Result<Address, TransportError> {
    let nowhere = || {
        broken(format!(
            "the redirect from {} leads to something that is no address",
            shown(from)
        ))
    };
    let text = std::str::from_utf8(location.as_bytes()).map_err(|_| nowhere())?;
    let url = Url::parse(&from.to_string())
        .and_then(|base| base.join(text))
        .map_err(|_| nowhere())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(nowhere());
    }
    let to = Address::parse(url.as_str()).map_err(|_| nowhere())?;
    if from.origin.tls && !to.origin.tls {
        return Err(broken(format!(
            "the redirect from {} leads to {}, out of TLS: it is not followed",
            shown(from),
            shown(&to)
        )));
    }
    Ok(to)
}

/// The request as it goes to the next address.
fn adapted(
    request: Request<Full<Bytes>>,
    status: StatusCode,
    from: &Origin,
    to: &Address,
    redirects: &Redirects<'_>,
) -> Result<Request<Full<Bytes>>, TransportError> {
    let (mut parts, mut body) = request.into_parts();
    // As browsers do, by the Fetch standard.
    let becomes_get = match status.as_u16() {
        301 | 302 => parts.method == Method::POST,
        303 => !matches!(parts.method, Method::GET | Method::HEAD),
        _ => false,
    };
    if becomes_get {
        parts.method = Method::GET;
        body = Full::default();
        for name in OF_A_BODY {
            parts.headers.remove(name);
        }
    }
    if *from != *to.origin {
        let secret: Vec<_> = parts
            .headers
            .iter()
            .filter(|(name, value)| {
                OF_AN_ORIGIN.contains(name)
                    || (redirects.is_secret)(&String::from_utf8_lossy(value.as_bytes()))
            })
            .map(|(name, _)| name.clone())
            .collect();
        for name in secret {
            parts.headers.remove(name);
        }
        let data = body.into_inner().unwrap_or_default();
        if (redirects.is_secret)(&String::from_utf8_lossy(&data)) {
            return Err(broken(format!(
                "redirected with {} to {}, another server, which must not see the secret in the body: it is not followed",
                status.as_u16(),
                shown(to)
            )));
        }
        body = Full::new(data);
    }
    Ok(Request::from_parts(parts, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lead(from: &str, location: &'static str) -> Result<String, String> {
        target(
            &Address::parse(from).unwrap(),
            &HeaderValue::from_static(location),
        )
        .map(|to| to.to_string())
        .map_err(|e| e.to_string())
    }

    #[test]
    fn a_location_is_read_as_browsers_read_it() {
        for (location, to) in [
            ("/x?y#z", "https://h/x?y"),
            ("x", "https://h/a/x"),
            ("?q", "https://h/a/b?q"),
            ("//other:1/x", "https://other:1/x"),
            ("https://user:password@other/", "https://other/"),
            ("", "https://h/a/b?c"),
        ] {
            assert_eq!(
                lead("https://h/a/b?c", location),
                Ok(to.to_owned()),
                "{location}"
            );
        }
        for (location, says) in [
            ("http://h/x", "out of TLS"),
            ("ftp://h/x", "no address"),
            ("javascript:alert(1)", "no address"),
            ("http://", "no address"),
            ("wss://h/", "no address"),
        ] {
            let error = lead("https://h/a?token=geheim", location).unwrap_err();
            assert!(error.contains(says), "{location}: {error}");
            assert!(!error.contains("geheim"), "{error}");
        }
        assert_eq!(lead("http://h/", "https://h/"), Ok("https://h/".to_owned()));
    }
}
