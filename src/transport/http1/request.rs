//! A request as HTTP/1.1 writes it.

use std::pin::pin;
use std::task::{Context, Waker};

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::Full;
use hyper::body::Body as _;

/// What a request means for its answer.
pub(super) struct Asked {
    /// An answer to HEAD has headers alone, whatever they say.
    pub(super) wants_no_body: bool,
    /// Whether another request is to follow.
    pub(super) keeps_alive: bool,
}

/// Appends a request to `out`. The length of its body is what it is, whatever its headers say.
pub(super) fn write(request: &Request<Full<Bytes>>, out: &mut Vec<u8>) -> Asked {
    let body = content(request.body().clone());
    let method = request.method();
    out.reserve(512 + body.len());
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b' ');
    let path = request.uri().path_and_query();
    out.extend_from_slice(path.map_or("/", |p| p.as_str()).as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    let mut keeps_alive = true;
    for (name, value) in request.headers() {
        if name == header::CONTENT_LENGTH || name == header::TRANSFER_ENCODING {
            continue;
        }
        if name == header::CONNECTION {
            keeps_alive &= !value.as_bytes().eq_ignore_ascii_case(b"close");
        }
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    let may_be_empty = !matches!(*method, Method::POST | Method::PUT | Method::PATCH);
    if !(body.is_empty() && may_be_empty) {
        out.extend_from_slice(b"content-length: ");
        out.extend_from_slice(body.len().to_string().as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&body);
    Asked {
        wants_no_body: *method == Method::HEAD,
        keeps_alive,
    }
}

/// The bytes of a body, all of which are there.
fn content(body: Full<Bytes>) -> Bytes {
    if body.is_end_stream() {
        return Bytes::new();
    }
    let mut nobody = Context::from_waker(Waker::noop());
    match pin!(body).poll_frame(&mut nobody) {
        std::task::Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        _ => Bytes::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(request: http::request::Builder, body: &'static str) -> String {
        let mut out = Vec::new();
        write(&request.body(Full::from(body)).unwrap(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lengths_are_what_they_are() {
        let get = Request::get("/a?b=c")
            .header("host", "h")
            .header("X-A", "1");
        assert_eq!(
            written(get, ""),
            "GET /a?b=c HTTP/1.1\r\nhost: h\r\nx-a: 1\r\n\r\n"
        );
        let post = Request::post("/").header("content-length", "99");
        assert_eq!(
            written(post, "body"),
            "POST / HTTP/1.1\r\ncontent-length: 4\r\n\r\nbody"
        );
        assert_eq!(
            written(Request::put("/"), ""),
            "PUT / HTTP/1.1\r\ncontent-length: 0\r\n\r\n"
        );
        let smuggled = Request::delete("/").header("transfer-encoding", "chunked");
        assert_eq!(
            written(smuggled, "x"),
            "DELETE / HTTP/1.1\r\ncontent-length: 1\r\n\r\nx"
        );
    }

    #[test]
    fn what_a_request_means_for_its_answer() {
        let asked = |request: http::request::Builder| {
            let asked = write(&request.body(Full::default()).unwrap(), &mut Vec::new());
            (asked.wants_no_body, asked.keeps_alive)
        };
        assert_eq!(asked(Request::head("/")), (true, true));
        assert_eq!(
            asked(Request::get("/").header("connection", "Close")),
            (false, false)
        );
    }
}
