//! Writes messages that each target takes to `fuzz/corpus/`, for the fuzzer to begin with.

use std::fs;
use std::path::Path;

use lakegate_flight::fuzzing::TARGETS;

fn main() -> std::io::Result<()> {
    for target in TARGETS {
        let name = format!("{target:?}").to_lowercase();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        fs::create_dir_all(&folder)?;
        for (index, seed) in target.seeds().iter().enumerate() {
            fs::write(folder.join(format!("seed-{index}")), seed)?;
        }
    }
    Ok(())
}
