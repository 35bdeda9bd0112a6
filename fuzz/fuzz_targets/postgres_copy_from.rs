#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| lakegate_fuzz::run(&lakegate_postgres::fuzzing::TARGETS, "postgres_copy_from", bytes));
