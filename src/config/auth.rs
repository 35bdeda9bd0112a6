//! The section `auth`: logins other than by password.

use lakegate_gateway::JwtConfig;
use serde::{Deserialize, Serialize};

/// How users log in, beside passwords.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// Accepts the tokens of an identity provider as bearer tokens.
    pub jwt: Option<JwtConfig>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::result_large_err)]
    use std::collections::BTreeMap;
    use std::path::Path;

    use jsonwebtoken::{Algorithm, AlgorithmFamily};
    use lakegate_error::Result;

    use crate::config::Config;

    const JWT: &str = "[auth.jwt]\nissuer = \"https://id.example/\"\naudience = \"lake\"\n";

    fn load(text: &str) -> Result<Config> {
        let mut loaded = None;
        figment::Jail::expect_with(|jail| {
            jail.create_file("c.toml", text)?;
            loaded = Some(Config::load(Some(Path::new("c.toml")), BTreeMap::new()));
            Ok(())
        });
        loaded.unwrap()
    }

    #[test]
    fn jwt_is_off_unless_configured_and_then_has_safe_defaults() {
        assert!(load("").unwrap().auth.jwt.is_none());
        let text = format!("{JWT}jwks_url = \"https://id.example/keys\"\n");
        let jwt = load(&text).unwrap().auth.jwt.unwrap();
        assert_eq!(jwt.audience.0, ["lake"]);
        assert_eq!((jwt.user_claim.as_str(), jwt.leeway.as_secs()), ("sub", 60));
        assert!(
            jwt.algorithms
                .0
                .iter()
                .all(|algorithm| algorithm.family() != AlgorithmFamily::Hmac)
        );
    }

    #[test]
    fn jwt_comes_from_the_environment_too() {
        figment::Jail::expect_with(|jail| {
            for (name, value) in [
                ("ISSUER", "https://id.example/"),
                ("AUDIENCE", "[\"lake\", \"other\"]"),
                ("JWKS_FILE", "/etc/keys.json"),
                ("ALGORITHMS", "[\"ES256\"]"),
                ("LEEWAY", "5s"),
            ] {
                jail.set_env(format!("LAKEGATE_AUTH__JWT__{name}"), value);
            }
            let config = Config::load(None, BTreeMap::new()).unwrap();
            let jwt = config.auth.jwt.unwrap();
            assert_eq!(jwt.audience.0, ["lake", "other"]);
            assert_eq!(jwt.algorithms.0, [Algorithm::ES256]);
            Ok(())
        });
    }

    #[test]
    fn what_would_let_too_many_in_is_refused_by_name() {
        let keys = "jwks_file = \"k\"\n";
        for (text, named) in [
            (JWT.to_owned(), "jwks_file"),
            (
                format!("{JWT}{keys}jwks_url = \"https://x/\"\n"),
                "jwks_url",
            ),
            (
                "[auth.jwt]\nissuer = \"x\"\njwks_file = \"k\"\n".to_owned(),
                "audience",
            ),
            (
                "[auth.jwt]\naudience = \"x\"\njwks_file = \"k\"\n".to_owned(),
                "issuer",
            ),
            (
                format!("{JWT}{keys}algorithms = [\"HS256\"]\n"),
                "algorithms",
            ),
            (format!("{JWT}{keys}algorithms = [\"none\"]\n"), "none"),
            (format!("{JWT}{keys}algorithms = []\n"), "algorithms"),
            (format!("{JWT}{keys}leeway = \"1h\"\n"), "leeway"),
            (format!("{JWT}{keys}user_claim = \"\"\n"), "user_claim"),
            (
                "[flight]\nclient_certificates = \"required\"\n".to_owned(),
                "tls.client_ca_file",
            ),
            (
                "[tls]\nclient_crl_file = \"r\"\n".to_owned(),
                "tls.client_crl_file",
            ),
            (
                "[tls]\nclient_ca_file = \"c\"\n[postgres]\nrequire_tls = false\nclient_certificates = \"required\"\n"
                    .to_owned(),
                "postgres.require_tls",
            ),
            (
                "[flight]\nclient_certificates = \"yes\"\n".to_owned(),
                "client_certificates",
            ),
        ] {
            let error = load(&text).unwrap_err();
            assert!(error.message().contains(named), "{text}: {error}");
        }
    }
}
