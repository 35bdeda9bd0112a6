#![no_main]

use lakegate_flight::fuzzing::Target;
use libfuzzer_sys::fuzz_target;

fuzz_target!(
    // Arrow's reader panics at some malformed messages, which the server catches: libFuzzer's hook would take that for a crash. A panic
    // that is not caught ends the run all the same.
    init: std::panic::set_hook(Box::new(|_| {})),
    |bytes: &[u8]| {
        Target::Put.takes(bytes);
    }
);
