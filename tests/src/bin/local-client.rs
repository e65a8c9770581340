//! A local client that is not one of Pacemaker's: hostile, or of the header generation that Debian's tools lack.
//!
//! `local-client ask SERVER old|new XML`, `local-client attack KIND`, `local-client executor old|new|in-vain`; run
//! inside a host.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is what the harness reads")]

use std::process::ExitCode;

use picket_tests::local;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        ["ask", server, generation, xml] => local::ask::ask(server, generation, xml),
        ["executor", "in-vain"] => local::executor::ask_in_vain(),
        ["executor", generation] => local::executor::converse(generation),
        ["attack", kind] => local::attack::attack(kind),
        _ => {
            eprintln!("usage: local-client ask SERVER old|new XML | attack KIND | executor old|new|in-vain");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("local-client: {error:#}");
            ExitCode::FAILURE
        }
    }
}
