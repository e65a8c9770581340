//! Class `ocf`: agents of the Open Cluster Framework, API 1.1.

use std::path::Path;

use picket_proto::exec::ExecRequest;
use picket_proto::outcome::{ExecStatus, OcfRc, Outcome};
use picket_proto::resource::Definition;

use super::Launch;
use crate::process::{EXIT_REASON_PREFIX, Program};

/// Where agents are looked up, as `ROOT/resource.d/PROVIDER/TYPE`.
pub const OCF_ROOT: &str = "/usr/lib/ocf";

pub(super) fn launch(definition: &Definition, request: &ExecRequest) -> Launch {
    let Some(provider) = &definition.provider else {
        return Launch::Immediate(
            Outcome::new(OcfRc::Error, ExecStatus::FatalError)
                .because("Required agent or action information missing"),
        );
    };
    Launch::Program(Program {
        path: Path::new(OCF_ROOT).join("resource.d").join(provider).join(&definition.agent),
        action: request.action.clone(),
        env: environment(definition, provider, request),
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
    let params = request.params.iter().map(|(name, value)| match name {
        // The check level alone is defined without the prefix.
        "OCF_CHECK_LEVEL" => (name.to_owned(), value.to_owned()),
        _ => (format!("OCF_RESKEY_{name}"), value.to_owned()),
    });
    params.chain(fixed.map(|(name, value)| (name.to_owned(), value.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(provider: Option<&str>) -> Definition {
        Definition {
            id: "db:0".to_owned(),
            class: "OCF".to_owned(),
            provider: provider.map(str::to_owned),
            agent: "pgsql".to_owned(),
        }
    }

    #[test]
    fn parameters_get_the_prefix_and_the_check_level_does_not() {
        let request = ExecRequest {
            action: "monitor".to_owned(),
            params: [("OCF_CHECK_LEVEL", "10"), ("CRM_meta_name", "monitor"), ("9x", "a\nb")]
                .into_iter()
                .collect(),
            ..ExecRequest::default()
        };
        let Launch::Program(program) = super::super::launch(&definition(Some("heartbeat")), &request) else {
            panic!("nothing to run")
        };
        assert_eq!(program.path, Path::new("/usr/lib/ocf/resource.d/heartbeat/pgsql"));
        let value =
            |name: &str| program.env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        assert_eq!(value("OCF_CHECK_LEVEL"), Some("10"));
        assert_eq!(value("OCF_RESKEY_CRM_meta_name"), Some("monitor"));
        assert_eq!(value("OCF_RESKEY_9x"), Some("a\nb"));
        assert_eq!(value("OCF_RESOURCE_INSTANCE"), Some("db:0"));
    }

    #[test]
    fn a_missing_provider_is_a_fatal_error() {
        let Launch::Immediate(outcome) = launch(&definition(None), &ExecRequest::default()) else {
            panic!("would run something")
        };
        assert_eq!((outcome.rc, outcome.status), (OcfRc::Error, ExecStatus::FatalError));
    }
}
