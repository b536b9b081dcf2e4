//! Fills a step's templates in and makes a request of them.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use http_body_util::Full;

use super::VirtualUser;
use super::step::Problem;
use crate::event::ErrorKind;
use crate::plan::{Address, Body, Destination, JsonPart, NoAddress, Step, Variable};

impl VirtualUser {
    /// The address that a template names.
    pub(super) fn address(&self, destination: &Destination) -> Result<Address, Problem> {
        destination.resolve(&self.environment.url, |template| {
            self.fill(template).map_err(|v| no_value(&v))
        })
    }

    pub(super) fn headers(&self, step: &Step) -> Result<Vec<(HeaderName, HeaderValue)>, Problem> {
        step.headers
            .iter()
            .map(|(name, template)| {
                let text = self.fill(template).map_err(|v| no_value(&v))?;
                let value = HeaderValue::from_str(&text).map_err(|_| {
                    Problem::new(
                        ErrorKind::Local,
                        format!("the value of the header `{name}` can't be sent"),
                    )
                })?;
                Ok((name.clone(), value))
            })
            .collect()
    }

    /// The body, and its content type unless the step says otherwise.
    pub(super) fn body(&self, body: &Body) -> Result<(String, Option<&'static str>), Problem> {
        match body {
            Body::Empty => Ok((String::new(), None)),
            Body::Text(template) => Ok((self.fill(template).map_err(|v| no_value(&v))?, None)),
            Body::Json(parts) => {
                let mut out = String::new();
                for part in parts {
                    match part {
                        JsonPart::Raw(text) => out.push_str(text),
                        JsonPart::Inside(template) => {
                            let filled = self
                                .fill_with(template, |v, out| out.push_str(v))
                                .map_err(|v| no_value(&v))?;
                            push_escaped(&filled, &mut out);
                        }
                    }
                }
                Ok((out, Some("application/json")))
            }
        }
    }

    pub(super) fn request(
        &self,
        step: &Step,
        request: &crate::plan::Request,
    ) -> Result<(Address, http::Request<Full<Bytes>>), Problem> {
        let address = self.address(&request.destination)?;
        let headers = self.headers(step)?;
        let (body, content_type) = self.body(&request.body)?;
        let mut out = http::Request::new(Full::new(Bytes::from(body)));
        *out.method_mut() = request.method.clone();
        out.headers_mut().extend(headers);
        if let Some(content_type) = content_type
            && !out.headers().contains_key(header::CONTENT_TYPE)
        {
            out.headers_mut()
                .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        Ok((address, out))
    }
}

impl From<NoAddress> for Problem {
    fn from(error: NoAddress) -> Self {
        Self::new(ErrorKind::Local, error.to_string())
    }
}

fn no_value(variable: &Variable) -> Problem {
    Problem::new(
        ErrorKind::Local,
        format!("`${{{variable}}}` has no value here: the step that captures it did not"),
    )
}

/// Appends text as the inside of a JSON string.
fn push_escaped(text: &str, out: &mut String) {
    let quoted = serde_json::Value::from(text).to_string();
    out.push_str(quoted.get(1..quoted.len() - 1).unwrap_or_default());
}
