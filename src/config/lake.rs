//! The section `lake`.

use bytesize::ByteSize;
use lakegate_config::section;
use lakegate_lake::roots::RootConfig;

section! {
    /// Locations of tables, and how their files are read.
    pub struct LakeConfig {
        /// Every LOCATION must lie within one of these roots. At least one is required. If several
        /// match, the one with the longest url applies.
        pub roots: Vec<RootConfig> = Vec::new() => ("none", "[{url = \"s3://datalake/\", path = \"/srv/datalake\"}]"),
        /// Maximum size of a row of a JSON, CSV or delimited file, after decompression: 1KiB to
        /// 1GiB. A query that reads a longer row fails.
        pub max_row_size: ByteSize = ByteSize::mib(32),
    }
}
