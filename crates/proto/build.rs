//! Compiles the definitions in proto/ to Rust. protox is a compiler in Rust: no `protoc` is needed.

use std::error::Error;

/// The root of imports. Paths below it follow the packages.
const ROOT: &str = "proto";

const FILES: [&str; 4] = [
    "arrow/flight/protocol/session.proto",
    "google/rpc/error_details.proto",
    "google/rpc/status.proto",
    "lakegate/athena/result_metadata.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={ROOT}");
    let definitions = protox::compile(FILES, [ROOT])?;
    prost_build::Config::new()
        // Maps are encoded in the order of their keys, so equal messages have equal bytes.
        .btree_map(["."])
        .compile_fds(definitions)?;
    Ok(())
}
