//! Agent classes: what an operation of a resource means on this system.

pub mod ocf;

use picket_proto::exec::ExecRequest;
use picket_proto::outcome::{ExecStatus, OcfRc, Outcome};
use picket_proto::resource::Definition;

use crate::process::Program;

/// How an operation is carried out.
#[derive(Debug)]
pub enum Launch {
    /// Nothing is to be run: this is the result.
    Immediate(Outcome),
    /// By a program.
    Program(Program),
}

/// Looks the class up, in any case of letters.
#[must_use]
pub fn launch(definition: &Definition, request: &ExecRequest) -> Launch {
    match definition.class.to_ascii_lowercase().as_str() {
        "ocf" => ocf::launch(definition, request),
        _ => Launch::Immediate(
            Outcome::new(OcfRc::NotInstalled, ExecStatus::NotInstalled)
                .because(format!("{}: No such file or directory", definition.agent)),
        ),
    }
}
