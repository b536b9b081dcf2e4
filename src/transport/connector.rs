//! Opens connections: names to addresses (cached), TCP, TLS with verified certificates.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::TransportError;
use super::http1::Http1;
use super::http2::Http2;
use super::link::Link;
use super::wire::Wire;
use crate::event::ErrorKind;
use crate::plan::{Address, Http2Use, Origin};

/// How long an address is remembered. Long enough that a load does not ask for every connection,
/// short enough that a fail-over by DNS is seen.
const REMEMBER: Duration = Duration::from_secs(30);

/// Why certificate authorities could not be loaded.
#[derive(Debug, thiserror::Error)]
#[error("can't load certificate authorities from {file}: {problem}")]
pub struct TlsError {
    file: String,
    problem: String,
}

/// Addresses by host and port, and when they were asked for.
type Known = HashMap<(String, u16), (Instant, Vec<SocketAddr>)>;

/// Which versions of HTTP a connection is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Versions {
    /// HTTP/1.1 alone, as WebSockets need.
    One,
    /// HTTP/2 where the server chooses it.
    Both,
}

/// Opens connections for all users of a run.
pub struct Connector {
    tls: TlsConnector,
    /// The same, but offers HTTP/2 too.
    tls_both: TlsConnector,
    /// Whether HTTP/2 is offered.
    versions: Versions,
    /// Whom to speak HTTP/2 with unasked, without TLS.
    prior: Option<Arc<Origin>>,
    addresses: Mutex<Known>,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

impl Connector {
    /// Trusts the machine's certificate authorities and those of `ca_file` (PEM).
    ///
    /// # Errors
    /// When `ca_file` can't be read or holds no certificate.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        // A certificate of the machine's store that can't be read is no reason to trust fewer others.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(file) = ca_file {
            let refuse = |problem: String| TlsError {
                file: file.display().to_string(),
                problem,
            };
            let certificates = CertificateDer::pem_file_iter(file)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|e| refuse(e.to_string()))?;
            if certificates.is_empty() {
                return Err(refuse("the file holds no certificate".to_owned()));
            }
            for certificate in certificates {
                roots.add(certificate).map_err(|e| refuse(e.to_string()))?;
            }
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| TlsError {
                file: "the machine's store".to_owned(),
                problem: e.to_string(),
            })?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let mut both = config.clone();
        both.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
            tls_both: TlsConnector::from(Arc::new(both)),
            versions: Versions::Both,
            prior: None,
            addresses: Mutex::default(),
        })
    }

    /// Speaks HTTP/2 as an environment at a base address says.
    #[must_use]
    pub fn with_http2(mut self, http2: Http2Use, base: &str) -> Self {
        self.versions = match http2 {
            Http2Use::Off => Versions::One,
            Http2Use::Auto | Http2Use::PriorKnowledge => Versions::Both,
        };
        // Only of the environment itself is it known, not of services beside it.
        let base = Address::parse(base).ok();
        self.prior = base
            .filter(|base| http2 == Http2Use::PriorKnowledge && !base.origin.tls)
            .map(|base| base.origin);
        self
    }

    /// Opens a connection for requests, of the version that both sides speak.
    pub(super) async fn link(&self, origin: &Origin) -> Result<Link, TransportError> {
        let (wire, chosen) = self.open(origin, self.versions).await?;
        Ok(if chosen || self.prior.as_deref() == Some(origin) {
            Link::Http2(Box::new(Http2::begin(wire, origin).await?))
        } else {
            Link::Http1(Http1::begin(wire))
        })
    }

    /// Opens a connection for a WebSocket.
    pub(super) async fn socket(&self, origin: &Origin) -> Result<Wire, TransportError> {
        Ok(self.open(origin, Versions::One).await?.0)
    }

    /// Opens a connection; tells whether the server has chosen HTTP/2.
    async fn open(
        &self,
        origin: &Origin,
        versions: Versions,
    ) -> Result<(Wire, bool), TransportError> {
        let (host, port) = (origin.host.as_str(), origin.port);
        let tcp = self.connect(host, port).await?;
        // Small writes are whole requests: waiting for more to send would be measured as the stack's latency.
        tcp.set_nodelay(true)
            .map_err(|e| TransportError::io("can't set up the connection", &e))?;
        if !origin.tls {
            return Ok((Wire::Plain(tcp), false));
        }
        let name =
            ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(|_| {
                TransportError::new(
                    ErrorKind::Tls,
                    format!("`{host}` can't be the name on a certificate"),
                )
            })?;
        let tls = match versions {
            Versions::One => &self.tls,
            Versions::Both => &self.tls_both,
        };
        match tls.connect(name, tcp).await {
            Ok(stream) => {
                let chosen = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                Ok((Wire::Tls(Box::new(stream)), chosen))
            }
            Err(error) => Err(TransportError::new(
                ErrorKind::Tls,
                format!("TLS with {host}:{port} failed: {error}"),
            )),
        }
    }

    async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, TransportError> {
        let mut last = None;
        for address in self.resolve(host, port).await? {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => {
                    last = Some(TransportError::io(
                        &format!("can't connect to {address}"),
                        &error,
                    ))
                }
            }
        }
        self.forget(host, port);
        Err(last.unwrap_or_else(|| {
            TransportError::new(ErrorKind::Resolve, format!("`{host}` has no address"))
        }))
    }

    async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, TransportError> {
        let key = (host.to_owned(), port);
        // A std Mutex, since nothing is awaited while it is held.
        let known = self
            .addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .cloned();
        if let Some((at, addresses)) = known
            && at.elapsed() < REMEMBER
        {
            return Ok(addresses);
        }
        let found: Vec<_> = tokio::net::lookup_host((host.trim_matches(['[', ']']), port))
            .await
            .map_err(|e| {
                TransportError::new(
                    ErrorKind::Resolve,
                    format!("`{host}` can't be resolved: {e}"),
                )
            })?
            .collect();
        self.addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, (Instant::now(), found.clone()));
        Ok(found)
    }

    fn forget(&self, host: &str, port: u16) {
        self.addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&(host.to_owned(), port));
    }
}
