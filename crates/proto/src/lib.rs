//! Protobuf messages of the formats that Lakegate speaks.
//!
//! The definitions are the files in `proto/`. The build script compiles them with protox, so a
//! build needs no `protoc`. Each module below is one protobuf package; each file there names the
//! source of its format. Maps are `BTreeMap`s: equal messages encode to equal bytes.
//!
//! Decoding accepts hostile bytes: it returns an error and never panics. It skips unknown fields,
//! and an encoder does not write them again.
//!
//! ```
//! use lakegate_proto::arrow::flight::protocol::SetSessionOptionsRequest;
//! use lakegate_proto::arrow::flight::protocol::SessionOptionValue;
//! use lakegate_proto::arrow::flight::protocol::session_option_value::OptionValue;
//! use prost::Message;
//!
//! let value = OptionValue::StringValue("curated".to_owned());
//! let value = SessionOptionValue { option_value: Some(value) };
//! let request = SetSessionOptionsRequest {
//!     session_options: [("schema".to_owned(), value)].into(),
//! };
//! let bytes = request.encode_to_vec();
//! assert_eq!(SetSessionOptionsRequest::decode(&bytes[..]), Ok(request));
//! ```

#[cfg(test)]
mod tests;

/// Apache Arrow's formats.
pub mod arrow {
    /// Arrow Flight.
    pub mod flight {
        /// The messages of Flight's session actions. The crate arrow-flight lacks them.
        pub mod protocol {
            include!(concat!(env!("OUT_DIR"), "/arrow.flight.protocol.rs"));
        }
    }
}

/// Google's formats.
pub mod google {
    /// The details of errors in gRPC.
    pub mod rpc {
        include!(concat!(env!("OUT_DIR"), "/google.rpc.rs"));
    }
}

/// The files that Athena writes next to its results.
pub mod athena {
    include!(concat!(env!("OUT_DIR"), "/lakegate.athena.rs"));
}
