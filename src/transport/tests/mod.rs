//! The client against real servers on loopback, most of them bad ones: what they share.

mod broken;
mod cookies;
mod encoded;
mod http2;
mod kept;
mod redirects;
mod slow;
mod sockets;
mod streams;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use super::{Client, Connector, Exchange, Limits, TransportError};
use crate::plan::Address;

/// A new user; the machine's certificates are read once for all of them.
fn client() -> Client {
    static CONNECTOR: OnceLock<Arc<Connector>> = OnceLock::new();
    let connector = CONNECTOR.get_or_init(|| Arc::new(Connector::new(None).unwrap()));
    Client::new(Arc::clone(connector))
}

/// A request with a body, and five seconds for it.
async fn send(
    client: &mut Client,
    to: &Address,
    body: &'static str,
) -> Result<Exchange, TransportError> {
    let request = Request::post("/")
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    client
        .send(to, request, Limits::within(Duration::from_secs(5)))
        .await
}

/// A server that does this with each connection, on a thread for each.
fn server(habit: impl Fn(&mut TcpStream) + Clone + Send + 'static) -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::parse(&format!("http://{}/x", listener.local_addr().unwrap())).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let habit = habit.clone();
            std::thread::spawn(move || habit(&mut stream));
        }
    });
    address
}

/// Waits for a request; tells its text.
fn heard(stream: &mut TcpStream) -> String {
    let mut request = [0; 4096];
    let length = stream.read(&mut request).unwrap_or(0);
    String::from_utf8_lossy(&request[..length]).into_owned()
}

/// A server that takes a request, says something, and then repeats something else for as long as it is heard.
/// Tells how many bytes it was rid of.
fn endless(first: impl Into<Vec<u8>>, then: impl Into<Vec<u8>>) -> (Address, Arc<AtomicU64>) {
    let (first, then) = (first.into(), then.into());
    let count = Arc::new(AtomicU64::new(0));
    let written = Arc::clone(&count);
    let address = server(move |stream| {
        heard(stream);
        let _ = stream.write_all(&first);
        while let Ok(length) = stream.write(&then) {
            written.fetch_add(length as u64, Ordering::Relaxed);
        }
    });
    (address, count)
}

/// A server that takes a request, says something, and closes.
fn says(what: impl Into<Vec<u8>>) -> Address {
    let what = what.into();
    server(move |stream| {
        heard(stream);
        let _ = stream.write_all(&what);
    })
}

/// A server that answers each request, told as its text, and keeps its connections.
fn answers(answer: impl Fn(&str) -> String + Clone + Send + 'static) -> Address {
    server(move |stream| {
        loop {
            let request = heard(stream);
            if request.is_empty() || stream.write_all(answer(&request).as_bytes()).is_err() {
                return;
            }
        }
    })
}

/// The text of an answer.
fn answer(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n{body}")
}

/// The address of another path on the same server.
fn at(to: &Address, path: &str) -> Address {
    Address::parse(&to.to_string().replace("/x", path)).unwrap()
}

/// What a client asks for: nothing but the address.
fn get() -> Request<Full<Bytes>> {
    Request::new(Full::default())
}

/// A bound that tests reach soon, and a time limit that they don't, however busy the machine is.
fn tight() -> Limits {
    Limits {
        timeout: Duration::from_secs(5),
        max_body: 64 * 1024,
    }
}

/// The same, for tests in which time is what runs out.
fn soon() -> Limits {
    Limits {
        timeout: Duration::from_millis(400),
        ..tight()
    }
}

/// What an exchange comes to, which must end within a little more than its own limit.
async fn in_time<T>(
    work: impl Future<Output = Result<T, TransportError>>,
) -> Result<T, TransportError> {
    tokio::time::timeout(Duration::from_secs(8), work)
        .await
        .expect("the limit did not end it")
}

/// One GET within tight limits.
async fn ask(to: &Address) -> Result<Exchange, TransportError> {
    in_time(client().send(to, get(), tight())).await
}

/// One GET to a server for which no time is enough.
async fn ask_in_vain(to: &Address) -> TransportError {
    in_time(client().send(to, get(), soon()))
        .await
        .expect_err("an answer")
}

/// The bytes that sockets of loopback hold at most, and that a server is rid of though nobody reads them.
const SOCKETS: u64 = 16 * 1024 * 1024;
