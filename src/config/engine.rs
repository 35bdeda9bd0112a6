//! The section `engine`.

use std::path::PathBuf;

use bytesize::ByteSize;
use lakegate_config::section;

section! {
    /// What queries run with.
    pub struct EngineConfig {
        /// Memory of all running queries together.
        pub memory_limit: Option<ByteSize> = None => ("60 % of the machine's, or of the control group's limit where that is less", "\"8GiB\""),
        /// Memory of the whole process. At 90 % of it new queries are refused, at 95 % the largest is
        /// cancelled. At least 256MiB.
        pub process_memory_limit: Option<ByteSize> = None => ("85 % of the machine's, or of the control group's limit where that is less", "\"12GiB\""),
        /// Disk that queries may spill to, together.
        pub spill_limit: ByteSize = ByteSize::gib(32),
        /// Folder of spilled data.
        pub spill_dir: Option<PathBuf> = None => ("spill in the state directory", "\"/var/tmp/lakegate-spill\""),
        /// Threads that run queries.
        pub threads: Option<usize> = None => ("the machine's cores", "8"),
        /// Rows in a batch.
        pub batch_size: usize = 8192,
        /// Memory for decoded Parquet footers.
        pub footer_cache: ByteSize = ByteSize::mib(256),
        /// While planning, footers are read of tables with at most this many files that match.
        pub max_statistics_files: usize = 4096,
    }
}
