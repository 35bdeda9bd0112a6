//! The address on which a door listens.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::Value;

/// An address and port to listen on, or `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Listen(pub Option<SocketAddr>);

impl Listen {
    /// Listens on a port of the loopback address only.
    pub fn on(port: u16) -> Self {
        Self(Some(SocketAddr::from(([127, 0, 0, 1], port))))
    }
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        text.parse()
            .map(|address| Self(Some(address)))
            .map_err(|_| {
                format!(
                    "'{text}' is no address to listen on; write one like 127.0.0.1:15432, or none"
                )
            })
    }
}

impl From<Listen> for String {
    fn from(listen: Listen) -> Self {
        listen
            .0
            .map_or_else(|| "none".to_owned(), |address| address.to_string())
    }
}

impl Value for Listen {
    const KIND: &'static str = "address";

    fn toml(&self) -> Option<String> {
        String::from(*self).toml()
    }
}
