//! The section `lake`.

use bytesize::ByteSize;
use lakegate_config::section;
use lakegate_lake::roots::RootConfig;

section! {
    /// Where tables lie, and how their files are read.
    pub struct LakeConfig {
        /// The only places that a LOCATION may name. At least one is needed. Of two that fit, the
        /// longer url counts.
        pub roots: Vec<RootConfig> = Vec::new() => ("none", "[{url = \"s3://datalake/\", path = \"/srv/datalake\"}]"),
        /// The longest row of a JSON, CSV or delimited file, after decompression: 1KiB to 1GiB. A
        /// longer one fails its query.
        pub max_row_size: ByteSize = ByteSize::mib(32),
    }
}
