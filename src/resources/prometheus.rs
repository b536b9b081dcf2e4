//! One figure from Prometheus: an instant query whose answer is exactly one number.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{TIMEOUT, Unread};
use crate::plan::Address;
use crate::transport::{Client, Connector, Limits};

/// An answer of one number is small.
const MAX_BODY: usize = 1024 * 1024;

/// Asks a query at `url`, on a connection of its own.
pub(super) async fn ask(connector: &Arc<Connector>, url: &str, query: &str) -> Result<f64, Unread> {
    let query = utf8_percent_encode(query, NON_ALPHANUMERIC);
    let full = format!("{url}/api/v1/query?query={query}");
    let address = Address::parse(&full).map_err(|e| Unread(e.to_string()))?;
    let mut request = http::Request::new(Full::new(Bytes::new()));
    if let Some(login) = login(url) {
        request
            .headers_mut()
            .insert(http::header::AUTHORIZATION, login);
    }
    let limits = Limits {
        timeout: TIMEOUT,
        max_body: MAX_BODY,
    };
    let mut client = Client::new(Arc::clone(connector));
    let exchange = client
        .send(&address, request, limits)
        .await
        .map_err(|e| Unread(format!("Prometheus can't be asked: {}", e.message)))?;
    number(exchange.status, &exchange.body)
}

/// Name and password of an address, as a server asks for them.
fn login(url: &str) -> Option<http::HeaderValue> {
    let url = Url::parse(url).ok()?;
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let password = decode(url.password()?);
    let pair = STANDARD.encode(format!("{}:{password}", decode(url.username())));
    let mut login = http::HeaderValue::from_str(&format!("Basic {pair}")).ok()?;
    login.set_sensitive(true);
    Some(login)
}

#[derive(Deserialize)]
struct Answer {
    status: String,
    error: Option<String>,
    data: Option<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: Value,
}

/// The one number of an answer.
fn number(status: u16, body: &[u8]) -> Result<f64, Unread> {
    let refuse = |why: &str| Err(Unread(why.to_owned()));
    let Ok(answer) = serde_json::from_slice::<Answer>(body) else {
        return Err(Unread(format!(
            "what answers {status} at that address is no Prometheus"
        )));
    };
    if answer.status != "success" {
        let said = answer.error.unwrap_or(answer.status);
        return Err(Unread(format!("Prometheus refuses the query: {said}")));
    }
    let Some(data) = answer.data else {
        return refuse("Prometheus answers without data");
    };
    let pair = match (data.result_type.as_str(), &data.result) {
        ("scalar", pair) => pair,
        ("vector", Value::Array(results)) => match results.as_slice() {
            [] => return refuse("the query has no result: is the metric scraped?"),
            [one] => &one["value"],
            many => {
                return Err(Unread(format!(
                    "the query has {} results, and one is needed: add them up, as in sum(…)",
                    many.len()
                )));
            }
        },
        (other, _) => {
            return Err(Unread(format!(
                "the query has a {other} as its result, and one number is needed"
            )));
        }
    };
    // `[time, "number"]`; the number is a text, so that it can be NaN.
    let text = pair.get(1).and_then(Value::as_str);
    match text.map(str::parse::<f64>) {
        Some(Ok(number)) if number.is_finite() => Ok(number),
        Some(Ok(number)) => Err(Unread(format!(
            "the query's result is {number}, which says nothing"
        ))),
        Some(Err(_)) | None => refuse("the query's result holds no number"),
    }
}

#[cfg(test)]
mod tests;
