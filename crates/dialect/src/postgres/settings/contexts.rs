//! When PostgreSQL would let a setting change that cannot be changed here.

use lakegate_error::{Code, Error};

/// Settings that PostgreSQL reads when it starts, sorted.
const AT_START: &[&str] = &[
    "archive_mode",
    "autovacuum_freeze_max_age",
    "autovacuum_max_workers",
    "autovacuum_multixact_freeze_max_age",
    "bonjour",
    "bonjour_name",
    "cluster_name",
    "config_file",
    "data_directory",
    "data_sync_retry",
    "debug_io_direct",
    "dynamic_shared_memory_type",
    "event_source",
    "external_pid_file",
    "hba_file",
    "hot_standby",
    "huge_page_size",
    "huge_pages",
    "ident_file",
    "ignore_invalid_pages",
    "jit_provider",
    "listen_addresses",
    "logging_collector",
    "max_connections",
    "max_files_per_process",
    "max_locks_per_transaction",
    "max_logical_replication_workers",
    "max_pred_locks_per_transaction",
    "max_prepared_transactions",
    "max_replication_slots",
    "max_wal_senders",
    "max_worker_processes",
    "min_dynamic_shared_memory",
    "old_snapshot_threshold",
    "recovery_target",
    "recovery_target_action",
    "recovery_target_inclusive",
    "recovery_target_lsn",
    "recovery_target_name",
    "recovery_target_time",
    "recovery_target_timeline",
    "recovery_target_xid",
    "reserved_connections",
    "shared_buffers",
    "shared_memory_type",
    "shared_preload_libraries",
    "superuser_reserved_connections",
    "track_activity_query_size",
    "track_commit_timestamp",
    "unix_socket_directories",
    "unix_socket_group",
    "unix_socket_permissions",
    "wal_buffers",
    "wal_decode_buffer_size",
    "wal_level",
    "wal_log_hints",
];

/// Settings of PostgreSQL's configuration file, sorted.
const AT_RELOAD: &[&str] = &[
    "archive_cleanup_command",
    "archive_command",
    "archive_library",
    "archive_timeout",
    "authentication_timeout",
    "autovacuum",
    "autovacuum_analyze_scale_factor",
    "autovacuum_analyze_threshold",
    "autovacuum_naptime",
    "autovacuum_vacuum_cost_delay",
    "autovacuum_vacuum_cost_limit",
    "autovacuum_vacuum_insert_scale_factor",
    "autovacuum_vacuum_insert_threshold",
    "autovacuum_vacuum_scale_factor",
    "autovacuum_vacuum_threshold",
    "autovacuum_work_mem",
    "bgwriter_delay",
    "bgwriter_flush_after",
    "bgwriter_lru_maxpages",
    "bgwriter_lru_multiplier",
    "checkpoint_completion_target",
    "checkpoint_flush_after",
    "checkpoint_timeout",
    "checkpoint_warning",
    "db_user_namespace",
    "fsync",
    "full_page_writes",
    "gss_accept_delegation",
    "hot_standby_feedback",
    "krb_caseins_users",
    "krb_server_keyfile",
    "log_autovacuum_min_duration",
    "log_checkpoints",
    "log_destination",
    "log_directory",
    "log_file_mode",
    "log_filename",
    "log_hostname",
    "log_line_prefix",
    "log_recovery_conflict_waits",
    "log_rotation_age",
    "log_rotation_size",
    "log_startup_progress_interval",
    "log_timezone",
    "log_truncate_on_rotation",
    "max_parallel_apply_workers_per_subscription",
    "max_pred_locks_per_page",
    "max_pred_locks_per_relation",
    "max_slot_wal_keep_size",
    "max_standby_archive_delay",
    "max_standby_streaming_delay",
    "max_sync_workers_per_subscription",
    "max_wal_size",
    "min_wal_size",
    "pre_auth_delay",
    "primary_conninfo",
    "primary_slot_name",
    "recovery_end_command",
    "recovery_init_sync_method",
    "recovery_min_apply_delay",
    "recovery_prefetch",
    "remove_temp_files_after_crash",
    "restart_after_crash",
    "restore_command",
    "send_abort_for_crash",
    "send_abort_for_kill",
    "ssl",
    "ssl_ca_file",
    "ssl_cert_file",
    "ssl_ciphers",
    "ssl_crl_dir",
    "ssl_crl_file",
    "ssl_dh_params_file",
    "ssl_ecdh_curve",
    "ssl_key_file",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "ssl_passphrase_command",
    "ssl_passphrase_command_supports_reload",
    "ssl_prefer_server_ciphers",
    "synchronous_standby_names",
    "syslog_facility",
    "syslog_ident",
    "syslog_sequence_numbers",
    "syslog_split_messages",
    "trace_recovery_messages",
    "wal_keep_size",
    "wal_receiver_create_temp_slot",
    "wal_receiver_status_interval",
    "wal_receiver_timeout",
    "wal_retrieve_retry_interval",
    "wal_sync_method",
    "wal_writer_delay",
    "wal_writer_flush_after",
];

/// Settings that only inform, sorted.
const INTERNAL: &[&str] = &[
    "block_size",
    "data_checksums",
    "debug_assertions",
    "in_hot_standby",
    "integer_datetimes",
    "is_superuser",
    "lc_collate",
    "lc_ctype",
    "max_function_args",
    "max_identifier_length",
    "max_index_keys",
    "segment_size",
    "server_encoding",
    "server_version",
    "server_version_num",
    "ssl_library",
    "wal_block_size",
    "wal_segment_size",
];

/// Returns `pg_settings.context` of a setting that cannot be changed.
pub(super) fn context(name: &str) -> &'static str {
    if AT_START.binary_search(&name).is_ok() {
        "postmaster"
    } else if AT_RELOAD.binary_search(&name).is_ok() {
        "sighup"
    } else {
        "internal"
    }
}

/// Returns whether PostgreSQL has a setting for information only, so that even RESET is an error.
pub(super) fn is_internal(name: &str) -> bool {
    INTERNAL.binary_search(&name).is_ok()
}

/// Returns the error of changing a setting that cannot be changed.
pub(super) fn fixed(name: &str) -> Error {
    let when = match context(name) {
        "postmaster" => " without restarting the server",
        "sighup" => " now",
        _ => "",
    };
    Error::new(
        Code::FixedParameter,
        format!("parameter \"{name}\" cannot be changed{when}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected texts: PostgreSQL 15.
    #[test]
    fn settings_that_cannot_be_changed_say_when_they_could() {
        for (name, message) in [
            (
                "max_connections",
                "parameter \"max_connections\" cannot be changed without restarting the server",
            ),
            ("fsync", "parameter \"fsync\" cannot be changed now"),
            (
                "server_version",
                "parameter \"server_version\" cannot be changed",
            ),
        ] {
            let error = fixed(name);
            assert_eq!(error.message(), message);
            assert_eq!(error.code().sqlstate(), "55P02");
        }
        assert!(AT_START.is_sorted());
        assert!(AT_RELOAD.is_sorted());
        assert!(INTERNAL.is_sorted());
    }
}
