//! Headers of an answer, put in order when somebody first asks for one: most answers are asked for none.

use std::ops::Deref;
use std::sync::OnceLock;

use bytes::Bytes;
use http::HeaderMap;

/// Headers as they came, and in order as soon as that is needed.
#[derive(Debug, Clone)]
pub struct Headers {
    raw: Bytes,
    read: fn(&Bytes) -> HeaderMap,
    map: OnceLock<HeaderMap>,
}

impl Headers {
    /// Headers that are still to be read out of bytes.
    pub fn unread(raw: Bytes, read: fn(&Bytes) -> HeaderMap) -> Self {
        Self {
            raw,
            read,
            map: OnceLock::new(),
        }
    }
}

impl From<HeaderMap> for Headers {
    fn from(map: HeaderMap) -> Self {
        Self {
            raw: Bytes::new(),
            read: |_| HeaderMap::new(),
            map: OnceLock::from(map),
        }
    }
}

impl Deref for Headers {
    type Target = HeaderMap;

    fn deref(&self) -> &HeaderMap {
        self.map.get_or_init(|| (self.read)(&self.raw))
    }
}
