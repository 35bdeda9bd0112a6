//! The section `results`.

use bytesize::ByteSize;
use lakegate_config::section;

section! {
    /// Cached results, and stored results of queries that run without a client.
    pub struct ResultsConfig {
        /// Memory for cached results. 0 disables caching.
        pub cache_size: ByteSize = ByteSize::mib(512),
        /// Maximum size of a cached result.
        pub max_entry_size: ByteSize = ByteSize::mib(32),
        /// Results of queries that run without a client are stored in memory up to this size.
        /// Larger ones are spilled.
        pub stored_memory: ByteSize = ByteSize::mib(16),
        /// Memory for the stored results of one user, at most an eighth of `engine.memory_limit`.
        /// Further results are spilled.
        pub stored_memory_per_user: ByteSize = ByteSize::mib(64),
        /// Maximum size of a stored result, in memory or spilled. A larger one can be read only
        /// once.
        pub max_stored_size: ByteSize = ByteSize::gib(1),
        /// Maximum total size of one user's stored results, in memory and spilled, at most an
        /// eighth of `engine.spill_limit`.
        pub max_stored_size_per_user: ByteSize = ByteSize::gib(4),
    }
}
