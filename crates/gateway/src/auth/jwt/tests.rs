#![allow(clippy::unwrap_used)]
//! Tokens that are accepted, and all the ways in which one is not.

mod renewal;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RSA_PSS_SHA384, RsaKeyPair,
};
use serde_json::json;

use super::*;

const ISSUER: &str = "https://id.example/";

/// Keys of the issuer.
struct Keys {
    ed: Ed25519KeyPair,
    ec: EcdsaKeyPair,
    rsa: RsaKeyPair,
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn now() -> i64 {
    chrono::Utc::now().timestamp()
}

impl Keys {
    fn new() -> Self {
        let random = SystemRandom::new();
        let ed = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let ec = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let rsa: String = include_str!("tests/rsa-key.txt").lines().skip(1).collect();
        Self {
            ed: Ed25519KeyPair::from_pkcs8(ed.as_ref()).unwrap(),
            ec: EcdsaKeyPair::from_pkcs8(algorithm, ec.as_ref(), &random).unwrap(),
            rsa: RsaKeyPair::from_der(&STANDARD.decode(rsa).unwrap()).unwrap(),
        }
    }

    fn modulus_and_exponent(&self) -> (Vec<u8>, Vec<u8>) {
        let public = PublicKeyComponents::<Vec<u8>>::from(self.rsa.public());
        (public.n, public.e)
    }

    fn set(&self) -> Value {
        let point = self.ec.public_key().as_ref();
        let (n, e) = self.modulus_and_exponent();
        json!({"keys": [
            {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": encode(self.ed.public_key())},
            {"kty": "EC", "crv": "P-256", "kid": "ec", "alg": "ES256", "x": encode(&point[1..33]), "y": encode(&point[33..])},
            {"kty": "RSA", "kid": "rsa", "use": "sig", "n": encode(n), "e": encode(e)},
        ]})
    }

    fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let rsa = |padding: &'static dyn ring::signature::RsaEncoding| {
            let mut signature = vec![0; self.rsa.public().modulus_len()];
            let signed = self.rsa.sign(padding, &random, message, &mut signature);
            signed.map(|()| signature).unwrap()
        };
        match algorithm {
            "EdDSA" => self.ed.sign(message).as_ref().to_vec(),
            "ES256" => self.ec.sign(&random, message).unwrap().as_ref().to_vec(),
            "RS256" => rsa(&RSA_PKCS1_SHA256),
            "PS384" => rsa(&RSA_PSS_SHA384),
            _ => Vec::new(),
        }
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let message = format!(
            "{}.{}",
            encode(header.to_string()),
            encode(claims.to_string())
        );
        let algorithm = header["alg"].as_str().unwrap();
        let signature = self.sign(algorithm, message.as_bytes());
        format!("{message}.{}", encode(signature))
    }
}

fn header(algorithm: &str, kid: &str) -> Value {
    json!({"typ": "JWT", "alg": algorithm, "kid": kid})
}

fn claims() -> Value {
    json!({"iss": ISSUER, "aud": "lake", "sub": "ada", "exp": now() + 600})
}

/// `value` with one member changed; `Null` takes it away.
fn with(mut value: Value, member: &str, to: Value) -> Value {
    let object = value.as_object_mut().unwrap();
    object.remove(member);
    if !to.is_null() {
        object.insert(member.to_owned(), to);
    }
    value
}

fn options(keys: JwtKeys) -> JwtConfig {
    let (jwks_file, jwks_url) = match keys {
        JwtKeys::File(file) => (Some(file), None),
        JwtKeys::Url(url) => (None, Some(url)),
    };
    JwtConfig {
        issuer: ISSUER.to_owned(),
        audience: Audience(vec!["lake".to_owned(), "warehouse".to_owned()]),
        jwks_file,
        jwks_url,
        ..JwtConfig::default()
    }
}

/// With the key set in a file.
async fn checking(set: &Value, change: impl Fn(&mut JwtConfig)) -> (Jwt, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("keys.json");
    std::fs::write(&file, set.to_string()).unwrap();
    let mut options = options(JwtKeys::File(file));
    change(&mut options);
    (Jwt::open(options).await.unwrap(), dir)
}

#[tokio::test]
async fn tokens_of_every_family_name_their_user() {
    let keys = Keys::new();
    let (jwt, _dir) = checking(&keys.set(), |_| {}).await;
    for (algorithm, kid) in [
        ("EdDSA", "ed"),
        ("ES256", "ec"),
        ("RS256", "rsa"),
        ("PS384", "rsa"),
    ] {
        let token = keys.token(&header(algorithm, kid), &claims());
        assert_eq!(jwt.user(&token).await.unwrap(), "ada", "{algorithm}");
    }
    for typ in [json!("at+jwt"), json!("application/at+JWT"), Value::Null] {
        let token = keys.token(&with(header("EdDSA", "ed"), "typ", typ), &claims());
        assert_eq!(jwt.user(&token).await.unwrap(), "ada");
    }
    let several = with(claims(), "aud", json!(["other", "warehouse"]));
    let token = keys.token(&header("EdDSA", "ed"), &several);
    assert_eq!(jwt.user(&token).await.unwrap(), "ada");
}

#[tokio::test]
async fn claims_are_held_to_the_configuration() {
    let keys = Keys::new();
    let (jwt, _dir) = checking(&keys.set(), |_| {}).await;
    let claim = |name: &str| Refused::Claim(name.to_owned());
    for (member, value, expected) in [
        ("exp", json!(now() - 61), Refused::Expired),
        ("exp", Value::Null, claim("exp")),
        ("exp", json!("tomorrow"), claim("exp")),
        ("exp", json!(-1), claim("exp")),
        ("nbf", json!(now() + 120), Refused::NotYet),
        ("nbf", json!("now"), claim("nbf")),
        ("iss", json!("https://id.example"), Refused::Issuer),
        ("iss", json!([ISSUER]), Refused::Issuer),
        ("iss", Value::Null, claim("iss")),
        ("aud", json!("lak"), Refused::Audience),
        ("aud", json!([]), Refused::Audience),
        ("aud", json!(["other"]), Refused::Audience),
        ("aud", json!(7), claim("aud")),
        ("aud", Value::Null, claim("aud")),
        ("sub", Value::Null, claim("sub")),
        ("sub", json!(""), claim("sub")),
        ("sub", json!(7), claim("sub")),
    ] {
        let token = keys.token(
            &header("EdDSA", "ed"),
            &with(claims(), member, value.clone()),
        );
        assert_eq!(jwt.user(&token).await, Err(expected), "{member}: {value}");
    }
    let nested = with(claims(), "sub", json!({"name": "ada"}));
    let refused = jwt.user(&keys.token(&header("EdDSA", "ed"), &nested)).await;
    assert!(matches!(refused, Err(Refused::Malformed(_))), "{refused:?}");
    // Clocks that are a little apart.
    for (member, value) in [("exp", now() - 30), ("nbf", now() + 30)] {
        let token = keys.token(
            &header("EdDSA", "ed"),
            &with(claims(), member, json!(value)),
        );
        assert_eq!(jwt.user(&token).await.unwrap(), "ada", "{member}");
    }
}

#[tokio::test]
async fn user_may_be_another_claim() {
    let keys = Keys::new();
    let (jwt, _dir) = checking(&keys.set(), |options| {
        options.user_claim = "email".to_owned();
    })
    .await;
    let token = keys.token(
        &header("EdDSA", "ed"),
        &with(claims(), "email", json!("ada@lake.example")),
    );
    assert_eq!(jwt.user(&token).await.unwrap(), "ada@lake.example");
    let token = keys.token(&header("EdDSA", "ed"), &claims());
    assert_eq!(
        jwt.user(&token).await,
        Err(Refused::Claim("email".to_owned()))
    );
}

#[tokio::test]
async fn algorithms_cannot_be_confused() {
    let keys = Keys::new();
    let (jwt, _dir) = checking(&keys.set(), |_| {}).await;
    let unsigned = |header: Value| {
        format!(
            "{}.{}.",
            encode(header.to_string()),
            encode(claims().to_string())
        )
    };
    for none in ["none", "None", "NONE", ""] {
        let refused = jwt.user(&unsigned(header(none, "rsa"))).await;
        assert!(matches!(refused, Err(Refused::Malformed(_))), "{refused:?}");
    }
    // The public key as the secret of an HMAC.
    let message = unsigned(header("HS256", "rsa"));
    let message = message.trim_end_matches('.');
    let (n, _) = keys.modulus_and_exponent();
    for secret in [
        n.clone(),
        encode(&n).into_bytes(),
        keys.set().to_string().into_bytes(),
    ] {
        let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &secret);
        let tag = ring::hmac::sign(&secret, message.as_bytes());
        let token = format!("{message}.{}", encode(tag));
        assert_eq!(
            jwt.user(&token).await,
            Err(Refused::Algorithm(Algorithm::HS256))
        );
    }
    // A key for another algorithm, of the same family or not.
    for (algorithm, kid) in [("RS256", "ec"), ("EdDSA", "rsa"), ("ES384", "ec")] {
        let token = keys.token(&header(algorithm, kid), &claims());
        assert_eq!(
            jwt.user(&token).await,
            Err(Refused::UnknownKey(kid.to_owned())),
            "{algorithm} {kid}"
        );
    }
    let (narrow, _dir) = checking(&keys.set(), |options| {
        options.algorithms = Algorithms(vec![Algorithm::EdDSA]);
    })
    .await;
    let token = keys.token(&header("RS256", "rsa"), &claims());
    assert_eq!(
        narrow.user(&token).await,
        Err(Refused::Algorithm(Algorithm::RS256))
    );
    let symmetric = |algorithms| {
        let mut options = options(JwtKeys::File("/nonexistent".into()));
        options.algorithms = Algorithms(algorithms);
        options
    };
    for algorithms in [vec![], vec![Algorithm::RS256, Algorithm::HS512]] {
        let error = Jwt::open(symmetric(algorithms)).await.unwrap_err();
        assert!(error.message().contains("auth.jwt.algorithms"), "{error}");
    }
}

#[tokio::test]
async fn keys_that_a_token_brings_along_are_not_believed() {
    let (keys, others) = (Keys::new(), Keys::new());
    let (jwt, _dir) = checking(&keys.set(), |_| {}).await;
    let theirs = others.set()["keys"][0].clone();
    let with_jwk = with(header("EdDSA", "ed"), "jwk", theirs);
    assert_eq!(
        jwt.user(&others.token(&with_jwk, &claims())).await,
        Err(Refused::Signature)
    );
    let with_url = with(header("EdDSA", "ed"), "jku", json!("https://evil.example/"));
    assert_eq!(
        jwt.user(&others.token(&with_url, &claims())).await,
        Err(Refused::Signature)
    );
    for kid in ["../../etc/passwd", "", "ed\0", "' OR 1=1 --", "ED"] {
        let token = keys.token(&header("EdDSA", kid), &claims());
        let refused = jwt.user(&token).await;
        assert!(
            matches!(refused, Err(Refused::UnknownKey(_))),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn headers_that_mean_something_else_are_refused() {
    let keys = Keys::new();
    let (jwt, _dir) = checking(&keys.set(), |_| {}).await;
    let critical = with(header("EdDSA", "ed"), "crit", json!(["b64"]));
    assert_eq!(
        jwt.user(&keys.token(&critical, &claims())).await,
        Err(Refused::Critical)
    );
    let logout = with(header("EdDSA", "ed"), "typ", json!("logout+jwt"));
    assert_eq!(
        jwt.user(&keys.token(&logout, &claims())).await,
        Err(Refused::Type("logout+jwt".to_owned()))
    );
}

#[tokio::test]
async fn changed_and_broken_tokens_are_refused_without_a_panic() {
    let keys = Keys::new();
    let (jwt, _dir) = checking(&keys.set(), |_| {}).await;
    let token = keys.token(&header("ES256", "ec"), &claims());
    let parts: Vec<&str> = token.split('.').collect();
    let admin = encode(with(claims(), "sub", json!("admin")).to_string());
    let forged = format!("{}.{admin}.{}", parts[0], parts[2]);
    assert_eq!(jwt.user(&forged).await, Err(Refused::Signature));
    for broken in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        "a.b.c".to_owned(),
        format!("{}.{}", parts[0], parts[1]),
        format!("{token}.{}", parts[2]),
        format!("{token}="),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}..{}", parts[0], parts[2]),
        format!("{}.{}.{}", encode("[]"), parts[1], parts[2]),
        format!("{}.{}.{}", encode("{\"alg\":7}"), parts[1], parts[2]),
        "ü.ü.ü".to_owned(),
        "[".repeat(5000) + "." + parts[1] + "." + parts[2],
        format!("{}.{}.{}", encode("[".repeat(5000)), parts[1], parts[2]),
    ] {
        let refused = jwt.user(&broken).await.unwrap_err();
        assert!(
            matches!(refused, Refused::Malformed(_) | Refused::Signature),
            "{broken}: {refused}"
        );
        assert!(refused.to_string().len() < 1000);
    }
    for cut in 0..token.len() {
        assert!(jwt.user(&token[..cut]).await.is_err(), "{cut}");
    }
    let long = with(claims(), "more", json!("x".repeat(MAX_TOKEN)));
    let long = keys.token(&header("ES256", "ec"), &long);
    assert_eq!(jwt.user(&long).await, Err(Refused::TooLong));
    let signed_list = keys.token(&header("ES256", "ec"), &json!(["ada"]));
    let refused = jwt.user(&signed_list).await;
    assert!(matches!(refused, Err(Refused::Malformed(_))), "{refused:?}");
}

#[tokio::test]
async fn token_without_a_key_id_is_taken_where_one_key_fits() {
    let keys = Keys::new();
    let (jwt, _dir) = checking(&keys.set(), |_| {}).await;
    let bare = |algorithm: &str| with(header(algorithm, ""), "kid", Value::Null);
    let token = keys.token(&bare("ES256"), &claims());
    assert_eq!(jwt.user(&token).await.unwrap(), "ada");
    let mut set = keys.set();
    let other = Keys::new().set()["keys"][1].clone();
    set["keys"]
        .as_array_mut()
        .unwrap()
        .push(with(other, "kid", json!("ec2")));
    let (jwt, _dir) = checking(&set, |_| {}).await;
    assert_eq!(jwt.user(&token).await, Err(Refused::NoKeyId));
}

#[tokio::test]
async fn keys_of_one_id_are_tried_in_turn() {
    let (keys, others) = (Keys::new(), Keys::new());
    let mut set = others.set();
    let ours = keys.set()["keys"][1].clone();
    set["keys"].as_array_mut().unwrap().push(ours);
    let (jwt, _dir) = checking(&set, |_| {}).await;
    for signer in [&keys, &others] {
        let token = signer.token(&header("ES256", "ec"), &claims());
        assert_eq!(jwt.user(&token).await.unwrap(), "ada");
    }
}

#[tokio::test]
async fn modulus_may_be_written_with_a_leading_zero() {
    let keys = Keys::new();
    let mut set = keys.set();
    let (n, _) = keys.modulus_and_exponent();
    set["keys"][2]["n"] = json!(encode([vec![0], n].concat()));
    let (jwt, _dir) = checking(&set, |_| {}).await;
    let token = keys.token(&header("RS256", "rsa"), &claims());
    assert_eq!(jwt.user(&token).await.unwrap(), "ada");
}

#[test]
fn key_sets_are_read_without_what_cannot_check_signatures() {
    let keys = Keys::new().set();
    let ec = keys["keys"][1].clone();
    let parse = |set: &Value| KeySet::parse(set.to_string().as_bytes(), "here");
    assert_eq!(parse(&keys).unwrap().len(), 3);
    for unusable in [
        json!({"kty": "oct", "k": "c2VjcmV0", "kid": "ec"}),
        with(ec.clone(), "use", json!("enc")),
        with(ec.clone(), "key_ops", json!(["sign"])),
        with(ec.clone(), "alg", json!("RS256")),
        with(ec.clone(), "alg", json!("ES999")),
        with(ec.clone(), "crv", json!("P-521")),
        with(ec.clone(), "x", json!("AAAA")),
        with(ec.clone(), "x", json!("not base64!")),
        with(ec.clone(), "y", Value::Null),
        json!({"kty": "new"}),
        json!("text"),
    ] {
        let both = json!({"keys": [unusable, ec]});
        assert_eq!(parse(&both).unwrap().len(), 1, "{unusable}");
        let error = parse(&json!({"keys": [unusable]})).unwrap_err();
        assert!(error.message().contains("no key that can check"), "{error}");
    }
    for (set, why) in [
        (json!([]), "no JSON Web Key Set"),
        (json!({"kty": "EC"}), "no JSON Web Key Set"),
        (json!({"keys": vec![ec; 257]}), "more than 256 keys"),
    ] {
        let error = parse(&set).unwrap_err();
        assert!(error.message().contains(why), "{error}");
        assert!(error.message().contains("here"), "{error}");
    }
}

#[test]
fn reasons_are_fit_for_a_log() {
    assert_eq!(shown("a\nb\u{1b}[31m"), "a\\nb\\u{1b}[31m");
    assert_eq!(shown(&"x".repeat(1000)).len(), MAX_REASON);
}
