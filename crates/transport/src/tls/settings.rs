//! Settings of client certificates that doors share.

use lakegate_config::Value;
use serde::{Deserialize, Serialize};

use super::CertificateUser;

/// Whether a door asks clients for a certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificates {
    #[default]
    Off,
    /// A client with a certificate logs in as the user that it names; other clients log in with a
    /// password or token.
    Optional,
    /// A certificate is required on every connection.
    Required,
}

impl Value for ClientCertificates {
    const KIND: &'static str = "choice";
    const CHOICES: &'static [&'static str] = &["off", "optional", "required"];

    fn toml(&self) -> Option<String> {
        let text = match self {
            Self::Off => "off",
            Self::Optional => "optional",
            Self::Required => "required",
        };
        text.to_owned().toml()
    }
}

impl Value for CertificateUser {
    const KIND: &'static str = "choice";
    const CHOICES: &'static [&'static str] = &["cn", "san_dns", "san_uri"];

    fn toml(&self) -> Option<String> {
        let text = match self {
            Self::Cn => "cn",
            Self::SanDns => "san_dns",
            Self::SanUri => "san_uri",
        };
        text.to_owned().toml()
    }
}
