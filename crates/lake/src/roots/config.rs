//! One of `lake.roots` of the configuration.

use std::path::PathBuf;

use lakegate_config::{Secret, Value, section};

section! {
    /// A lake root. With `path` it is a directory; else an S3 bucket, by default the one that `url`
    /// names.
    pub struct RootConfig {
        /// What LOCATIONs begin with: `s3://bucket/prefix/` or `file:///folder/`.
        pub url: String = String::new() => ("none; it must be set", "\"s3://datalake/\""),
        /// A directory that holds the files: an S3-shaped lake without S3.
        pub path: Option<PathBuf> = None => ("an S3 bucket", "\"/srv/datalake\""),
        /// Files and folders of the directory that are never served. The state directory never is.
        pub exclude: Vec<PathBuf> = Vec::new() => ("none", "[\"private\"]"),
        /// Any S3-compatible endpoint.
        pub endpoint: Option<String> = None => ("AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, or AWS", "\"https://minio.example.com:9000\""),
        /// Region of the bucket.
        pub region: Option<String> = None => ("that of AWS's variables and files, else us-east-1", "\"eu-central-1\""),
        /// Requests `https://endpoint/bucket/key` rather than `https://bucket.endpoint/key`.
        pub path_style: Option<bool> = None => ("true where an endpoint is set, else false", "true"),
        /// Credentials, with `secret_access_key`.
        pub access_key_id: Option<String> = None => ("AWS's usual variables, files and roles", "\"…\""),
        /// Belongs to `access_key_id`.
        #[serde(skip_serializing)]
        pub secret_access_key: Option<Secret> = None => ("none", "\"…\""),
        /// Session token of temporary credentials.
        #[serde(skip_serializing)]
        pub session_token: Option<Secret> = None => ("none", "\"…\""),
        /// A profile of AWS's configuration files.
        pub profile: Option<String> = None => ("AWS_PROFILE, else AWS's default", "\"analytics\""),
    }
}

impl Value for RootConfig {
    const KIND: &'static str = "table";

    fn toml(&self) -> Option<String> {
        None
    }
}
