//! S3 and what speaks its protocol: stores of lake roots, with credentials that are refreshed when
//! they expire.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::default_provider::region::DefaultRegionChain;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_smithy_http_client::tls;
use lakegate_error::{Code, Error, Result};
use object_store::aws::{AmazonS3Builder, AwsCredential};
use object_store::client::SpawnedReqwestConnector;
use object_store::path::Path;
use object_store::{ClientOptions, CredentialProvider, RetryConfig};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use super::{Backing, RootConfig};

/// Credentials are renewed this long before they expire.
const RENEW_BEFORE: Duration = Duration::from_secs(120);

/// Used where neither the configuration nor AWS's own files name a region; most S3-compatible
/// servers ignore it.
const DEFAULT_REGION: &str = "us-east-1";

/// Opens the bucket and prefix that `root.url` names. Requests are made on `io`, whatever runtime
/// polls them.
///
/// # Errors
/// A URL without a bucket, settings that do not fit together.
pub async fn open(root: &RootConfig, io: &Handle) -> Result<Backing> {
    let url = &root.url;
    let invalid = |why: String| Error::invalid(format!("lake root {url}: {why}"));
    let rest = url.strip_prefix("s3://").ok_or_else(|| {
        invalid("an S3 root begins with s3://; a directory needs a path".to_owned())
    })?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = Path::parse(prefix.trim_end_matches('/')).map_err(|e| invalid(e.to_string()))?;
    let endpoint = root.endpoint.clone().or_else(endpoint_from_environment);
    let place = place(endpoint.as_deref(), bucket);
    let region = match &root.region {
        Some(region) => region.clone(),
        None => default_region().await,
    };
    let path_style = root.path_style.unwrap_or(endpoint.is_some());
    let allow_http = endpoint
        .as_ref()
        .is_some_and(|endpoint| endpoint.starts_with("http://"));
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(region)
        .with_virtual_hosted_style_request(!path_style)
        .with_client_options(
            ClientOptions::new()
                .with_allow_http(allow_http)
                .with_connect_timeout(Duration::from_secs(5))
                .with_timeout(Duration::from_secs(60)),
        )
        .with_retry(RetryConfig {
            max_retries: 5,
            retry_timeout: Duration::from_secs(60),
            ..RetryConfig::default()
        })
        .with_http_connector(SpawnedReqwestConnector::new(io.clone()));
    if let Some(endpoint) = endpoint {
        let endpoint = if path_style {
            endpoint
        } else {
            with_bucket(&endpoint, bucket)
        };
        builder = builder.with_endpoint(endpoint);
    }
    builder = match (&root.access_key_id, &root.secret_access_key) {
        (Some(key), Some(secret)) => {
            let mut builder = builder
                .with_access_key_id(key)
                .with_secret_access_key(secret.expose());
            if let Some(token) = &root.session_token {
                builder = builder.with_token(token.expose());
            }
            builder
        }
        _ => builder.with_credentials(Arc::new(AwsChain::new(root.profile.as_deref(), io).await)),
    };
    let store = builder.build().map_err(|e| invalid(e.to_string()))?;
    Ok(Backing::Remote {
        store: Arc::new(store),
        place,
        prefix,
    })
}

fn endpoint_from_environment() -> Option<String> {
    ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

/// The endpoint and the bucket, the same for the usual ways to write them.
fn place(endpoint: Option<&str>, bucket: &str) -> String {
    let endpoint = endpoint.unwrap_or("https://s3.amazonaws.com");
    let lower = endpoint.to_ascii_lowercase();
    let (scheme, rest) = lower.split_once("://").unwrap_or(("https", &lower));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let port = if scheme == "http" { ":80" } else { ":443" };
    let authority = authority.strip_suffix(port).unwrap_or(authority);
    let host = authority
        .strip_prefix(&format!("{bucket}."))
        .unwrap_or(authority);
    // Bucket names are of all regions together.
    let host = match host {
        aws if aws.ends_with(".amazonaws.com") => "s3.amazonaws.com",
        aws if aws.ends_with(".amazonaws.com.cn") => "s3.amazonaws.com.cn",
        other => other,
    };
    let loopback = ["localhost", "127.0.0.1", "[::1]"];
    let host = match loopback.iter().find_map(|name| host.strip_prefix(name)) {
        Some(port) if port.is_empty() || port.starts_with(':') => format!("localhost{port}"),
        _ => host.to_owned(),
    };
    format!("{host}/{}/{bucket}", path.trim_matches('/'))
}

/// The virtual-hosted form of an endpoint.
fn with_bucket(endpoint: &str, bucket: &str) -> String {
    match endpoint.split_once("://") {
        Some((scheme, host)) => format!("{scheme}://{bucket}.{host}"),
        None => endpoint.to_owned(),
    }
}

/// How AWS's own lookups reach the instance and container services.
fn aws_provider() -> ProviderConfig {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(
            tls::rustls_provider::CryptoMode::Ring,
        ))
        .build_https();
    ProviderConfig::without_region().with_http_client(http)
}

/// The region of AWS's variables or files. The instance is not asked: the chain takes no HTTP
/// client from us.
async fn default_region() -> String {
    match DefaultRegionChain::builder().build().region().await {
        Some(region) => region.to_string(),
        None => DEFAULT_REGION.to_owned(),
    }
}

/// AWS's own order: environment, files and profiles, web identity, container and instance roles.
struct AwsChain {
    chain: Arc<DefaultCredentialsChain>,
    io: Handle,
    current: Mutex<Option<(Arc<AwsCredential>, Option<SystemTime>)>>,
}

impl fmt::Debug for AwsChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsChain").finish_non_exhaustive()
    }
}

impl AwsChain {
    async fn new(profile: Option<&str>, io: &Handle) -> Self {
        let mut chain = DefaultCredentialsChain::builder().configure(aws_provider());
        if let Some(profile) = profile {
            chain = chain.profile_name(profile);
        }
        Self {
            chain: Arc::new(chain.build().await),
            io: io.clone(),
            current: Mutex::default(),
        }
    }

    async fn load(&self) -> Result<Credentials> {
        let chain = Arc::clone(&self.chain);
        let loaded = self
            .io
            .spawn(async move { chain.provide_credentials().await })
            .await;
        let loaded = loaded.map_err(|e| Error::internal(format!("AWS credentials: {e}")))?;
        loaded.map_err(|e| {
            Error::new(
                Code::Storage,
                format!("no AWS credentials: {}", aws_smithy_types::error::display::DisplayErrorContext(&e)),
            )
            .with_hint("set access_key_id and secret_access_key of the lake root, or AWS's usual variables and files")
        })
    }
}

#[async_trait]
impl CredentialProvider for AwsChain {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut current = self.current.lock().await;
        if let Some((credential, expiry)) = &*current
            && expiry.is_none_or(|expiry| expiry > SystemTime::now() + RENEW_BEFORE)
        {
            return Ok(Arc::clone(credential));
        }
        let loaded = self.load().await.map_err(super::store_error)?;
        let credential = Arc::new(AwsCredential {
            key_id: loaded.access_key_id().to_owned(),
            secret_key: loaded.secret_access_key().to_owned(),
            token: loaded.session_token().map(ToOwned::to_owned),
        });
        // Files that are edited have no expiry: look again now and then.
        let expiry = loaded
            .expiry()
            .or_else(|| SystemTime::now().checked_add(Duration::from_secs(900)));
        *current = Some((Arc::clone(&credential), expiry));
        Ok(credential)
    }
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn one_bucket_has_one_place() {
        let minio = place(Some("https://minio.example"), "lake");
        for same in ["https://MINIO.example:443/", "https://lake.minio.example"] {
            assert_eq!(place(Some(same), "lake"), minio, "{same}");
        }
        for other in [
            "https://minio.example:9000",
            "http://minio.example:443",
            "https://minio.example.org",
        ] {
            assert_ne!(place(Some(other), "lake"), minio, "{other}");
        }
        assert_ne!(place(Some("https://minio.example"), "lake2"), minio);
        let aws = place(None, "lake");
        for same in [
            "https://s3.amazonaws.com",
            "https://s3.eu-central-1.amazonaws.com",
            "https://lake.s3.us-west-2.amazonaws.com/",
        ] {
            assert_eq!(place(Some(same), "lake"), aws, "{same}");
        }
        let local = place(Some("http://127.0.0.1:9000"), "lake");
        assert_eq!(place(Some("http://localhost:9000"), "lake"), local);
        assert_ne!(place(Some("http://localhost:9001"), "lake"), local);
    }
}
