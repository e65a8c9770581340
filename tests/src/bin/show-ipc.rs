//! Measures what cluster tools in a guest get: `show-ipc [POINT]`.
#![allow(clippy::print_stderr, reason = "how it says that it was not understood")]

use std::process::ExitCode;

use picket_tests::{ipc_parity, show};

fn main() -> ExitCode {
    match std::env::args().nth(1).map(|number| number.parse::<u8>()) {
        None => show::points(&ipc_parity::FULL),
        Some(Ok(number)) => {
            let wanted: Vec<_> =
                ipc_parity::FULL.into_iter().filter(|point| point.number == number).collect();
            show::points(&wanted)
        }
        Some(Err(error)) => {
            eprintln!("show-ipc: usage: show-ipc [POINT]: {error}");
            ExitCode::from(2)
        }
    }
}
