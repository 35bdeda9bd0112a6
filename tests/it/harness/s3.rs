//! An S3 server: moto's, started by the test and killed with it.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use futures::{StreamExt, TryStreamExt, stream};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{ObjectStoreExt, PutPayload};

use super::{PATIENCE, lake, python};

pub(crate) const BUCKET: &str = "datalake";
pub(crate) const ACCESS_KEY: &str = "test-access-key";
pub(crate) const SECRET_KEY: &str = "test-secret-key";

pub(crate) struct S3 {
    shell: Child,
    pub endpoint: String,
    log: std::path::PathBuf,
}

impl Drop for S3 {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

impl S3 {
    /// Starts a server with an empty bucket, [`BUCKET`].
    pub(crate) async fn start() -> S3 {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let log = lake::scratch().join(format!("moto-{port}.log"));
        let shell = Command::new("sh")
            .args([
                "-c",
                r#"exec 3<&0; "$@" 3<&- </dev/null & s=$!; read -r _ <&3; kill -9 $s"#,
                "sh",
            ])
            .arg(python::program("moto_server"))
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(fs::File::create(&log).unwrap())
            .stderr(fs::OpenOptions::new().append(true).open(&log).unwrap())
            .spawn()
            .unwrap();
        let s3 = S3 {
            shell,
            endpoint: format!("http://127.0.0.1:{port}"),
            log,
        };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                start.elapsed() < PATIENCE,
                "moto does not start: {}",
                s3.requests()
            );
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        s3.create_bucket(port, BUCKET);
        s3
    }

    fn create_bucket(&self, port: u16, bucket: &str) {
        use std::io::{Read, Write};
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        write!(
            stream,
            "PUT /{bucket} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\nConnection: close\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    pub(crate) fn store(&self) -> Arc<AmazonS3> {
        let store = AmazonS3Builder::new()
            .with_endpoint(&self.endpoint)
            .with_allow_http(true)
            .with_region("us-east-1")
            .with_bucket_name(BUCKET)
            .with_access_key_id(ACCESS_KEY)
            .with_secret_access_key(SECRET_KEY)
            .build()
            .unwrap();
        Arc::new(store)
    }

    pub(crate) async fn put(&self, key: &str, bytes: impl Into<PutPayload>) {
        self.store().put(&key.into(), bytes.into()).await.unwrap();
    }

    /// Uploads the files under `dir` whose key satisfies `wanted`.
    pub(crate) async fn upload(&self, dir: &Path, wanted: impl Fn(&str) -> bool) -> usize {
        let mut files = Vec::new();
        walk(dir, &mut files);
        let store = self.store();
        let keys = files.into_iter().filter_map(|file| {
            let key = file.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
            wanted(&key).then_some((key, file))
        });
        let puts = keys.map(|(key, file)| {
            let store = store.clone();
            async move {
                // `parse` keeps the percent signs of a partition's folder unchanged.
                let key = object_store::path::Path::parse(&key).unwrap();
                store
                    .put(&key, fs::read(file).unwrap().into())
                    .await
                    .map(|_| ())
            }
        });
        stream::iter(puts)
            .buffer_unordered(8)
            .try_fold(0, |done, ()| async move { Ok(done + 1) })
            .await
            .unwrap()
    }

    /// Returns the server's log of requests.
    pub(crate) fn requests(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Returns the lines of a lake root for `lakegate.toml`.
    pub(crate) fn root(&self) -> String {
        format!(
            "[[lake.roots]]\nurl = \"s3://{BUCKET}/\"\nendpoint = \"{}\"\nregion = \"us-east-1\"\n\
             access_key_id = \"{ACCESS_KEY}\"\nsecret_access_key = \"{SECRET_KEY}\"\n",
            self.endpoint
        )
    }
}

fn walk(dir: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), files);
        } else {
            files.push(entry.path());
        }
    }
}
