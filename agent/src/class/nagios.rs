//! Class `nagios`: monitoring plugins, as Pacemaker 2.1 runs them; 3.0 has removed the class. A plugin watches
//! something that is not on this node, so there is nothing to stop, and a start only waits until the check is good.

use std::path::Path;
use std::time::Duration;

use picket_proto::outcome::{ExecStatus, OcfRc, Outcome};

use super::{Launch, Operation, Surroundings};
use crate::process::{Program, Secrets};

/// Where plugins are. Without it there is no such class.
const FOLDER: &str = "/usr/lib/nagios/plugins";

/// For a start without a limit of its own; the original would try for ever.
const PATIENCE: Duration = Duration::from_secs(3600);

pub(super) fn launch(operation: &Operation, _: &Surroundings) -> Launch {
    if !Path::new(FOLDER).is_dir() {
        return super::missing(&operation.definition.agent);
    }
    plan(operation)
}

fn plan(operation: &Operation) -> Launch {
    match operation.request.action.as_str() {
        "stop" => Launch::Immediate(Outcome::new(OcfRc::Ok, ExecStatus::Done)),
        "start" => Launch::Repeated(check(operation), operation.limit().unwrap_or(PATIENCE)),
        _ if operation.is_probe() => Launch::Program(Program {
            args: vec!["--version".to_owned()],
            exit_code: from_probe_exit,
            ..check(operation)
        }),
        _ => Launch::Program(check(operation)),
    }
}

fn check(operation: &Operation) -> Program {
    let path = Path::new(FOLDER).join(&operation.definition.agent);
    let params = operation.request.params.iter();
    let own = params.filter(|(name, _)| *name != "crm_feature_set" && !name.contains("CRM_meta_"));
    Program {
        name: path.display().to_string(),
        path,
        args: own.flat_map(|(name, value)| [format!("--{name}"), value.to_owned()]).collect(),
        env: Vec::new(),
        secrets: Secrets::default(),
        user: None,
        exit_code: from_exit,
        gives_reason: false,
    }
}

/// The code for a plugin's state.
fn from_exit(code: i32) -> OcfRc {
    match code {
        0 => OcfRc::Ok,
        1 => OcfRc::Degraded,
        100 => OcfRc::InsufficientPrivileges,
        _ => OcfRc::Error,
    }
}

/// A plugin that can be run is installed; more a probe does not ask.
fn from_probe_exit(code: i32) -> OcfRc {
    match from_exit(code) {
        OcfRc::Ok => OcfRc::NotRunning,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::operation;
    use super::*;

    fn program(launch: Launch) -> Program {
        match launch {
            Launch::Program(program) | Launch::Repeated(program, _) => program,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn exits_map_row_by_row() {
        let monitor = program(plan(&operation("nagios", "check_x", "monitor", 1000))).exit_code;
        for (exit, rc) in [(0, 0), (1, 190), (2, 1), (3, 1), (100, 4), (77, 1)] {
            assert_eq!(monitor(exit).number(), rc, "exit {exit}");
        }
        let probe = program(plan(&operation("nagios", "check_x", "monitor", 0))).exit_code;
        for (exit, rc) in [(0, 7), (1, 190), (2, 1), (100, 4)] {
            assert_eq!(probe(exit).number(), rc, "probe, exit {exit}");
        }
    }

    #[test]
    fn parameters_become_options_and_a_probe_has_none_of_them() {
        let mut start = operation("nagios", "check_x", "start", 0);
        start.request.timeout = 20_000;
        let params = [("port", "80"), ("CRM_meta_timeout", "20000"), ("crm_feature_set", "3.16.2")];
        start.request.params = params.into_iter().collect();
        assert!(matches!(plan(&start), Launch::Repeated(_, limit) if limit == Duration::from_secs(20)));
        assert_eq!(program(plan(&start)).args, ["--port", "80"]);
        start.request.action = "monitor".to_owned();
        assert_eq!(program(plan(&start)).args, ["--version"]);
    }

    #[test]
    fn a_stop_runs_nothing() {
        assert!(matches!(plan(&operation("nagios", "check_x", "stop", 0)), Launch::Immediate(_)));
    }
}
