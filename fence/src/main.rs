//! picket-fence: every `fence_*` agent of this project in one program.

use std::process::ExitCode;

fn main() -> ExitCode {
    // An argument that is not UTF-8 cannot be an option, and names no machine that an API knows.
    let args: Vec<String> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    picket_fence::cli::main(&args, |name| std::env::var(name).ok())
}
