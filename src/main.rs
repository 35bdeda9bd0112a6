//! The server binary: runs the library's command line, with mimalloc as the allocator, which keeps
//! freed pages for a while.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Options of the allocator, which reads them from the environment before `main`: no huge pages, of
/// which a small part may keep the whole; freed pages go back after 300 ms; and each thread looks for
/// its free pages ten times as often as by default (`benches/profile.md`).
#[cfg(target_os = "linux")]
const OPTIONS: &[(&str, &str)] = &[
    ("MIMALLOC_ALLOW_THP", "0"),
    ("MIMALLOC_PURGE_DELAY", "300"),
    ("MIMALLOC_GENERIC_COLLECT", "1000"),
];

/// Runs the program anew, in the same process, with the options of the allocator that are not set.
/// Where that fails, it goes on without them.
#[cfg(target_os = "linux")]
fn set_allocator_options() {
    use std::os::unix::process::CommandExt;

    let unset = OPTIONS
        .iter()
        .filter(|(name, _)| std::env::var_os(name).is_none());
    let unset: Vec<_> = unset.copied().collect();
    if unset.is_empty() {
        return;
    }
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    let mut arguments = std::env::args_os();
    let mut command = std::process::Command::new(program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    let _failed = command.args(arguments).envs(unset).exec();
}

fn main() -> std::process::ExitCode {
    #[cfg(target_os = "linux")]
    set_allocator_options();
    match lakegate::cli::run() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lakegate: {error}");
            if let Some(hint) = error.hint() {
                eprintln!("hint: {hint}");
            }
            std::process::ExitCode::FAILURE
        }
    }
}
