//! The section `results`.

use bytesize::ByteSize;
use lakegate_config::section;

section! {
    /// Results that are kept for reuse, and results of queries that run without a client.
    pub struct ResultsConfig {
        /// Memory for kept results. 0 keeps none.
        pub cache_size: ByteSize = ByteSize::mib(512),
        /// The largest result that is kept.
        pub max_entry_size: ByteSize = ByteSize::mib(32),
        /// Results of queries that run without a client are stored: in memory up to this size,
        /// spilled if they are larger.
        pub stored_memory: ByteSize = ByteSize::mib(16),
        /// Memory for the stored results of one user, at most an eighth of `engine.memory_limit`;
        /// what is more is spilled.
        pub stored_memory_per_user: ByteSize = ByteSize::mib(64),
        /// The largest result that is stored, in memory or spilled; a larger one is read once.
        pub max_stored_size: ByteSize = ByteSize::gib(1),
        /// Stored results of one user, in memory and spilled, at most an eighth of
        /// `engine.spill_limit`.
        pub max_stored_size_per_user: ByteSize = ByteSize::gib(4),
    }
}
