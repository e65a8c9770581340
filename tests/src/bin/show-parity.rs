//! Measures whether picket-agent does everything that `pacemaker-remoted` does: `show-parity [--short] [POINT]`.
#![allow(clippy::print_stderr, reason = "how it says that it was not understood")]

use std::process::ExitCode;

use picket_tests::parity::show::{FULL, SHORT};
use picket_tests::show;

fn main() -> ExitCode {
    let (mut points, mut wanted) = (Vec::from(FULL), None);
    for argument in std::env::args().skip(1) {
        match (argument.as_str(), argument.parse::<u8>()) {
            ("--short", _) => points = Vec::from(SHORT),
            (_, Ok(number)) => wanted = Some(number),
            _ => {
                eprintln!("show-parity: unknown argument '{argument}'; usage: show-parity [--short] [POINT]");
                return ExitCode::from(2);
            }
        }
    }
    points.retain(|point| wanted.is_none_or(|number| point.number == number));
    show::points(&points)
}
