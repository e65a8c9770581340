//! Measures what cluster tools in a guest get: `show-ipc [POINT]`, a point's number or a part of its words.

use std::process::ExitCode;

use picket_tests::{ipc_parity, show};

fn main() -> ExitCode {
    let Some(wanted) = std::env::args().nth(1) else { return show::points(&ipc_parity::FULL) };
    let wanted = |point: &show::Point| point.number.to_string() == wanted || point.words.contains(&wanted);
    let points: Vec<_> = ipc_parity::FULL.into_iter().filter(wanted).collect();
    show::points(&points)
}
