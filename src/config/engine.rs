//! The section `engine`.

use std::path::PathBuf;

use bytesize::ByteSize;
use lakegate_config::section;

section! {
    /// Resources for running queries.
    pub struct EngineConfig {
        /// Memory for all running queries together.
        pub memory_limit: Option<ByteSize> = None => ("60 % of the machine's, or of the control group's limit where that is less", "\"8GiB\""),
        /// Memory of the whole process. At 90 % of it, new queries are refused; at 95 %, the
        /// largest query is cancelled. At least 256MiB.
        pub process_memory_limit: Option<ByteSize> = None => ("85 % of the machine's, or of the control group's limit where that is less", "\"12GiB\""),
        /// Memory for the temporary tables of a session. Those of all sessions together may take a
        /// quarter of `memory_limit`.
        pub temporary_memory: ByteSize = ByteSize::mib(64),
        /// Disk space that all queries together may spill to.
        pub spill_limit: ByteSize = ByteSize::gib(32),
        /// Directory for spilled data.
        pub spill_dir: Option<PathBuf> = None => ("spill in the state directory", "\"/var/tmp/lakegate-spill\""),
        /// Threads that run queries.
        pub threads: Option<usize> = None => ("the machine's cores", "8"),
        /// Rows per batch.
        pub batch_size: usize = 8192,
        /// Memory for decoded footers of Parquet files, and as much for those of ORC files.
        pub footer_cache: ByteSize = ByteSize::mib(256),
        /// Memory for decoded columns of Parquet files that are read again and again, beside
        /// `memory_limit`. 0 disables it.
        pub column_cache: Option<ByteSize> = None => ("an eighth of engine.memory_limit", "\"1GiB\""),
        /// Footers are read during planning only for tables with at most this many matching files.
        pub max_statistics_files: usize = 4096,
    }
}
