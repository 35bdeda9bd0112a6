//! Rust's clients of PostgreSQL against a running demo, whose connection file's JSON is in
//! `$LAKEGATE_CONNECTION`: sqlx and tokio-postgres.
//!
//! What was seen to work is written to `$LAKEGATE_SHOWN`, a line of JSON each.
//! `$LAKEGATE_OTHER_CA` is the certificate of an authority that the server's is not from.

mod demo;
mod sqlx_client;
mod tokio_postgres_client;

use demo::Demo;

#[tokio::main]
async fn main() {
    let mut demo = Demo::from_environment().await;
    sqlx_client::run(&mut demo).await;
    tokio_postgres_client::run(&mut demo).await;
    if demo.failed > 0 {
        println!("{} failed", demo.failed);
        std::process::exit(1);
    }
    println!("all passed");
}
