//! Fuzz targets for decoders of hostile bytes, and a bounded run of them on stable Rust.
//!
//! A crate with such decoders has a module `fuzzing` with its `TARGETS`, behind its feature of that
//! name. `fuzz/` passes them to libFuzzer; the crate's own test passes them to [`check`], so that
//! `./test` runs each over its seeds and over mutations of them.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A decoder that takes any bytes.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name of its folder in `fuzz/seeds` and of its program in `fuzz/fuzz_targets`.
    pub name: &'static str,
    /// Decodes the bytes; returns whether they were accepted. A panic, or memory that the length of
    /// the input does not bound, is a defect.
    pub accepts: fn(&[u8]) -> bool,
}

/// The outcome of a [`replay`]: inputs and how many of them were accepted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replay {
    pub seeds: usize,
    pub accepted_seeds: usize,
    pub mutations: usize,
    pub accepted_mutations: usize,
}

/// Numbers that often break decoders: ends of ranges, and lengths.
const NUMBERS: [u64; 8] = [
    0,
    1,
    0x7f,
    0xff,
    i32::MAX as u64,
    u32::MAX as u64,
    i64::MAX as u64,
    u64::MAX,
];

/// Text that often breaks decoders: delimiters, escapes, signs, multi-byte letters.
const TEXTS: [&str; 28] = [
    "'", "\"", "\\", "$$", "--", "/*", "*/", ";", ",", "\n", "\r", "\0", "\t", "{", "}", "[", "]",
    "(", ")", "<", ">", ":", "=", "%", "-", "e9", "é", "😀",
];

/// The maximum number of edits in one mutation.
const MAX_EDITS: usize = 4;

/// Returns the folder with the seeds of a target.
pub fn seed_folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/seeds")
        .join(name)
}

/// Returns the seeds of a target, ordered by file name.
///
/// # Errors
///
/// The folder is missing or cannot be read.
pub fn seeds(name: &str) -> io::Result<Vec<Vec<u8>>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(seed_folder(name))? {
        files.push(entry?.path());
    }
    files.sort();
    files.iter().map(fs::read).collect()
}

/// Runs a target over its seeds and over `mutations` of them, which are the same in every run.
///
/// # Errors
///
/// The target panics (the error shows the input), or the seeds cannot be read.
pub fn replay(target: &Target, mutations: usize) -> io::Result<Replay> {
    let seeds = seeds(target.name)?;
    let mut done = Replay::default();
    for seed in &seeds {
        done.seeds += 1;
        done.accepted_seeds += usize::from(caught(target, seed)?);
    }
    let mut random = StdRng::seed_from_u64(4);
    while !seeds.is_empty() && done.mutations < mutations {
        let input = mutated(&mut random, &seeds);
        done.mutations += 1;
        done.accepted_mutations += usize::from(caught(target, &input)?);
    }
    Ok(done)
}

/// Replays each target over its seeds and `mutations` of them. All seeds must be accepted, and some
/// but not all of the mutations: otherwise the target decodes nothing, or refuses nothing.
///
/// # Errors
///
/// As for [`replay`], or a target accepts too little or too much; the error has the counts.
pub fn check(targets: &[Target], mutations: usize) -> io::Result<()> {
    for target in targets {
        let done = replay(target, mutations)?;
        let accepted = done.accepted_mutations;
        if done.accepted_seeds != done.seeds || !(1..done.mutations).contains(&accepted) {
            return Err(io::Error::other(format!("{target:?}: {done:?}")));
        }
    }
    Ok(())
}

fn caught(target: &Target, input: &[u8]) -> io::Result<bool> {
    catch_unwind(AssertUnwindSafe(|| (target.accepts)(input))).map_err(|_| {
        io::Error::other(format!(
            "target {} panicked on b\"{}\"",
            target.name,
            input.escape_ascii()
        ))
    })
}

/// Returns one of the seeds with a few edits.
fn mutated(random: &mut StdRng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[random.random_range(0..seeds.len())].clone();
    for _ in 0..random.random_range(1..=MAX_EDITS) {
        let length = bytes.len();
        if length == 0 {
            return vec![random.random(); random.random_range(0..64)];
        }
        let at = random.random_range(0..length);
        let until = (at + random.random_range(1..=16)).min(length);
        match random.random_range(0..9) {
            0 => bytes[at] ^= 1 << random.random_range(0..8),
            1 => bytes[at] = random.random(),
            2 => bytes.truncate(at),
            3 => {
                let repeated = bytes[at..until].to_vec();
                bytes.splice(at..at, repeated);
            }
            4 => {
                bytes.drain(at..until);
            }
            5 => {
                let number = NUMBERS[random.random_range(0..NUMBERS.len())];
                let width = [1, 2, 4, 8][random.random_range(0..4)].min(length - at);
                let number = match random.random() {
                    true => number.to_le_bytes(),
                    false => (number << (64 - 8 * width)).to_be_bytes(),
                };
                bytes[at..at + width].copy_from_slice(&number[..width]);
            }
            6 | 7 => {
                let text = TEXTS[random.random_range(0..TEXTS.len())];
                let times = [1, 1, 1, 200][random.random_range(0..4)];
                bytes.splice(at..at, text.repeat(times).into_bytes());
            }
            _ => {
                let other = &seeds[random.random_range(0..seeds.len())];
                let from = random.random_range(0..=other.len());
                bytes.truncate(at);
                bytes.extend(&other[from..]);
            }
        }
    }
    bytes
}

/// Returns the bytes as text, if they are UTF-8.
pub fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn panic_is_an_error_that_says_the_input() {
        let target = Target {
            name: "hive_type",
            accepts: |bytes| bytes.is_empty() || panic!("no"),
        };
        let error = replay(&target, 10).unwrap_err().to_string();
        assert!(
            error.starts_with("target hive_type panicked on b\""),
            "{error}"
        );
    }

    #[test]
    fn targets_that_accept_too_little_or_too_much_are_found() {
        let target = |accepts| Target {
            name: "hive_type",
            accepts,
        };
        let nothing = target(|_| false);
        let everything = target(|_| true);
        let no_seed = target(|bytes| bytes.contains(&b'%'));
        for wrong in [nothing, everything, no_seed] {
            assert!(check(&[wrong], 1_000).is_err());
        }
    }

    #[test]
    fn mutations_are_the_same_every_time() {
        let run = || {
            let mut random = StdRng::seed_from_u64(4);
            let seeds = [b"one".to_vec(), b"a second".to_vec()];
            let all: Vec<Vec<u8>> = (0..500).map(|_| mutated(&mut random, &seeds)).collect();
            all
        };
        assert_eq!(run(), run());
        assert!(run().iter().any(|bytes| bytes.len() > 100));
    }

    /// Every target has a program for libFuzzer, and every program has seeds.
    #[test]
    fn programs_and_seeds_go_together() {
        let names = |folder: &str| {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            let mut names: Vec<String> = fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
                .collect();
            names.sort();
            names
        };
        let programs = names("../../fuzz/fuzz_targets");
        assert_eq!(programs, names("../../fuzz/seeds"));
        let manifest =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/Cargo.toml"))
                .unwrap();
        for name in programs {
            assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        }
    }
}
