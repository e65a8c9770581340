//! Class `lsb`: init scripts of the Linux Standard Base.

use std::path::{Path, PathBuf};

use picket_proto::outcome::OcfRc;

use super::{Launch, Operation, Surroundings};
use crate::process::{Program, Secrets};

/// Where scripts are, unless a type is a path itself.
const FOLDER: &str = "/etc/init.d";

pub(super) fn launch(operation: &Operation, _: &Surroundings) -> Launch {
    let path = path(operation);
    let action = if operation.is_monitor() { "status" } else { operation.request.action.as_str() };
    Launch::Program(Program {
        name: path.display().to_string(),
        path,
        args: vec![action.to_owned()],
        env: Vec::new(),
        secrets: Secrets::default(),
        user: None,
        exit_code: if operation.is_monitor() { from_status_exit } else { from_exit },
        gives_reason: false,
    })
}

/// The script that a resource's type names.
pub(super) fn path(operation: &Operation) -> PathBuf {
    Path::new(FOLDER).join(&operation.definition.agent)
}

/// The code for the exit status of a script's `status`. 150 and 151 say why there is none.
fn from_status_exit(code: i32) -> OcfRc {
    match code {
        0 => OcfRc::Ok,
        1..=3 => OcfRc::NotRunning,
        150 => OcfRc::NotInstalled,
        151 => OcfRc::InsufficientPrivileges,
        _ => OcfRc::Error,
    }
}

/// The code for any other action's exit status: 0 to 7 mean the same in both standards.
fn from_exit(code: i32) -> OcfRc {
    match code {
        0..=7 => OcfRc::from_ocf_exit(code),
        _ => OcfRc::Error,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{operation, program};
    use super::*;

    #[test]
    fn status_exits_map_row_by_row() {
        let exit_code = program(&operation("lsb", "x", "monitor", 1000)).exit_code;
        let rows = [(0, 0), (1, 7), (2, 7), (3, 7), (4, 1), (5, 1), (7, 1), (150, 5), (151, 4), (255, 1)];
        for (exit, rc) in rows {
            assert_eq!(exit_code(exit).number(), rc, "exit {exit}");
        }
    }

    #[test]
    fn exits_of_other_actions_map_row_by_row() {
        let exit_code = program(&operation("lsb", "x", "start", 0)).exit_code;
        for exit in 0..=7_u8 {
            assert_eq!(exit_code(exit.into()).number(), exit);
        }
        for exit in [8, 9, 150, 151, 190, 255] {
            assert_eq!(exit_code(exit).number(), 1, "exit {exit}");
        }
    }

    #[test]
    fn a_monitor_runs_status_and_parameters_go_nowhere() {
        let mut monitor = operation("lsb", "x", "monitor", 0);
        monitor.request.params = [("a", "b")].into_iter().collect();
        let program = program(&monitor);
        assert_eq!(
            (program.args.concat(), program.env, program.gives_reason),
            ("status".into(), vec![], false)
        );
    }

    #[test]
    fn a_type_may_be_a_path() {
        assert_eq!(program(&operation("lsb", "/opt/x", "start", 0)).path, Path::new("/opt/x"));
        assert_eq!(program(&operation("lsb", "x", "start", 0)).path, Path::new("/etc/init.d/x"));
    }
}
