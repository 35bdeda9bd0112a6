#![no_main]

use lakegate_flight::fuzzing::Target;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    Target::Headers.takes(bytes);
});
