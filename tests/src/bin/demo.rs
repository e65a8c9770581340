//! Shows the agent at work without any cluster: `demo`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is made to be watched")]

use std::process::ExitCode;

fn main() -> ExitCode {
    match picket_tests::demo::run(&mut |line| println!("{line}")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("demo: {e:#}");
            ExitCode::FAILURE
        }
    }
}
