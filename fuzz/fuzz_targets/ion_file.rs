#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| lakegate_fuzz::run(
    &lakegate_lake::fuzzing::TARGETS,
    "ion_file",
    bytes
));
