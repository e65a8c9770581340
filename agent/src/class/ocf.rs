//! Class `ocf`: agents of the Open Cluster Framework, API 1.1.

use std::path::Path;

use picket_proto::exec::ExecRequest;
use picket_proto::outcome::{ExecStatus, OcfRc, Outcome};
use picket_proto::resource::Definition;

use super::{Launch, Operation, Surroundings};
use crate::builtin;
use crate::process::{EXIT_REASON_PREFIX, Program, REFERENCE, Reference, Secrets};

/// Where agents are looked up, as `ROOT/resource.d/PROVIDER/TYPE`.
pub const OCF_ROOT: &str = "/usr/lib/ocf";

pub(super) fn launch(operation: &Operation, _: &Surroundings) -> Launch {
    let Operation { definition, request } = operation;
    let Some(provider) = &definition.provider else {
        return Launch::Immediate(
            Outcome::new(OcfRc::Error, ExecStatus::FatalError)
                .because("Required agent or action information missing"),
        );
    };
    if provider == builtin::PROVIDER
        && let Some(work) = builtin::work(operation)
    {
        return Launch::Task(Box::pin(async { Launch::Immediate(work.await) }));
    }
    Launch::Program(Program {
        path: Path::new(OCF_ROOT).join("resource.d").join(provider).join(&definition.agent),
        name: definition.agent.clone(),
        args: vec![request.action.clone()],
        env: environment(definition, provider, request),
        secrets: secrets(definition, request),
        user: None,
        exit_code: OcfRc::from_ocf_exit,
        gives_reason: true,
    })
}

fn environment(definition: &Definition, provider: &str, request: &ExecRequest) -> Vec<(String, String)> {
    let fixed = [
        ("OCF_RA_VERSION_MAJOR", "1"),
        ("OCF_RA_VERSION_MINOR", "1"),
        ("OCF_ROOT", OCF_ROOT),
        ("OCF_EXIT_REASON_PREFIX", EXIT_REASON_PREFIX),
        ("OCF_RESOURCE_INSTANCE", &definition.id),
        ("OCF_RESOURCE_TYPE", &definition.agent),
        ("OCF_RESOURCE_PROVIDER", provider),
    ];
    let params = request.params.iter().map(|(name, value)| (variable(name), value.to_owned()));
    params.chain(fixed.map(|(name, value)| (name.to_owned(), value.to_owned()))).collect()
}

fn secrets(definition: &Definition, request: &ExecRequest) -> Secrets {
    let hidden = request.params.iter().filter(|(_, value)| *value == REFERENCE);
    Secrets {
        references: hidden.map(|(name, _)| Reference::new(&definition.id, name, variable(name))).collect(),
        optional: request.action == "stop",
    }
}

fn variable(parameter: &str) -> String {
    match parameter {
        // The check level alone is defined without the prefix.
        "OCF_CHECK_LEVEL" => parameter.to_owned(),
        _ => format!("OCF_RESKEY_{parameter}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{immediate, operation, program};
    use super::*;

    fn pgsql(action: &str, params: &[(&str, &str)]) -> Operation {
        let mut operation = operation("OCF", "pgsql", action, 0);
        operation.definition.provider = Some("heartbeat".to_owned());
        operation.request.params = params.iter().copied().collect();
        operation
    }

    #[test]
    fn parameters_get_the_prefix_and_the_check_level_does_not() {
        let params = [("OCF_CHECK_LEVEL", "10"), ("CRM_meta_name", "monitor"), ("9x", "a\nb")];
        let program = program(&pgsql("monitor", &params));
        assert_eq!(program.path, Path::new("/usr/lib/ocf/resource.d/heartbeat/pgsql"));
        assert_eq!((program.name.as_str(), program.args.concat().as_str()), ("pgsql", "monitor"));
        let value =
            |name: &str| program.env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        assert_eq!(value("OCF_CHECK_LEVEL"), Some("10"));
        assert_eq!(value("OCF_RESKEY_CRM_meta_name"), Some("monitor"));
        assert_eq!(value("OCF_RESKEY_9x"), Some("a\nb"));
        assert_eq!(value("OCF_RESOURCE_INSTANCE"), Some("db:0"));
    }

    #[test]
    fn a_missing_provider_is_a_fatal_error() {
        let reason = Some("Required agent or action information missing".to_owned());
        assert_eq!(immediate(&operation("ocf", "pgsql", "start", 0)), (1, 6, reason));
    }

    #[test]
    fn exactly_the_value_of_a_reference_is_one() {
        let params = [("passwd", "lrm://"), ("url", "lrm://x"), ("user", "me")];
        let secrets = program(&pgsql("start", &params)).secrets;
        let passwd = Reference::new("db:0", "passwd", "OCF_RESKEY_passwd".to_owned());
        assert_eq!((secrets.references, secrets.optional), (vec![passwd], false));
        assert!(program(&pgsql("stop", &params)).secrets.optional);
    }
}
