use serde_json::{Value, json};

use super::AGENT;
use crate::core::action::Action;
use crate::core::failure::Exit;
use crate::testing::matrix::{self, Case};
use crate::testing::{Answer, Bench, IP_AND_PORT, Platform, Seen, Shown, World};

/// A service with two systems. What makes vendors differ is switched on by `kind`.
#[derive(Default)]
struct Bmc {
    kind: Kind,
}

#[derive(Default, PartialEq)]
enum Kind {
    #[default]
    Plain,
    /// Answers a reset with this redirect to another path of the same system.
    Moved(u16),
    /// Takes no ForceOff.
    NoForceOff,
    /// Wants If-Match.
    Etag,
    /// Resets become tasks which fail.
    FailingTask,
    /// Lists its reset kinds in an ActionInfo.
    ActionInfo,
    /// Says that it is already off, with a 400.
    Already,
    KubeVirt,
}

fn error(status: u16, id: &str, text: &str) -> Answer {
    let info = json!([{"MessageId": id, "Message": text}]);
    Answer::new(
        status,
        json!({"error": {"code": id, "message": "see", "@Message.ExtendedInfo": info}}).to_string(),
    )
}

impl Bmc {
    fn system(&self, at: usize, world: &mut World) -> Value {
        let power = match world.show(at) {
            Shown::On => json!("On"),
            Shown::Off => json!("Off"),
            Shown::Odd => Value::Null,
        };
        let machine = &world.machines[at];
        let path = format!("/redfish/v1/Systems/{}", machine.id);
        let mut reset = json!({ "target": format!("{path}/Actions/ComputerSystem.Reset") });
        let kinds = match self.kind {
            Kind::NoForceOff => json!(["On", "GracefulShutdown", "PushPowerButton"]),
            _ => json!(["On", "ForceOff", "Nmi"]),
        };
        match self.kind {
            Kind::ActionInfo => reset["@Redfish.ActionInfo"] = json!(format!("{path}/ResetActionInfo")),
            _ => reset["ResetType@Redfish.AllowableValues"] = kinds,
        }
        json!({
            "@odata.id": path, "Id": machine.id, "Name": machine.name, "UUID": format!("uuid-{}", machine.id),
            "PowerState": power, "Actions": {"#ComputerSystem.Reset": reset},
        })
    }

    fn reset(&self, seen: &Seen, at: usize, world: &mut World) -> Answer {
        let body: Value = serde_json::from_str(&seen.body).unwrap_or_default();
        if let Kind::Moved(status) = self.kind
            && !seen.path.contains("/Other/")
        {
            let to = format!("/redfish/v1/Other/{}/Actions/ComputerSystem.Reset", world.machines[at].id);
            return Answer::new(status, "").header("location", &to);
        }
        if self.kind == Kind::Etag && seen.header("if-match") != Some("\"7\"") {
            return error(428, "Base.1.0.PreconditionRequired", "If-Match is needed");
        }
        if self.kind == Kind::Already && world.note.is_empty() {
            world.note = "said so".to_owned();
            world.switch(at, false);
            return error(400, "Vendor.1.0.PSU501", "The server is already powered OFF.");
        }
        if self.kind == Kind::FailingTask {
            return Answer::new(202, "{}").header("location", "/redfish/v1/TaskService/Tasks/1");
        }
        match body["ResetType"].as_str() {
            Some("On") => world.switch(at, true),
            Some("ForceOff") => world.switch(at, false),
            other => return error(400, "Base.1.0.ActionParameterNotSupported", &format!("no {other:?}")),
        }
        Answer::new(204, "")
    }
}

impl Platform for Bmc {
    fn answer(&mut self, seen: &Seen, world: &mut World) -> Answer {
        if seen.path == "/redfish/v1" {
            let product = if self.kind == Kind::KubeVirt { "kubevirt-redfish" } else { "Mock BMC" };
            return Answer::json(
                &json!({"Product": product, "Systems": {"@odata.id": "/redfish/v1/Systems"}}),
            );
        }
        // "u:p" in base64
        if seen.header("authorization") != Some("Basic dTpw") && seen.header("x-auth-token") != Some("t0ken")
        {
            if (seen.method.as_str(), seen.path.as_str()) == ("POST", "/redfish/v1/SessionService/Sessions") {
                world.note += "+";
                let body: Value = serde_json::from_str(&seen.body).unwrap_or_default();
                assert_eq!(body, json!({"UserName": "u", "Password": "p"}));
                let answer = Answer::new(201, "{}").header("x-auth-token", "t0ken");
                return answer.header("location", "/redfish/v1/SessionService/Sessions/9");
            }
            return error(401, "Base.1.0.NoValidSession", "who are you");
        }
        if seen.method == "DELETE" {
            world.note += "-";
            return Answer::new(204, "");
        }
        let segments: Vec<&str> = seen.path.trim_matches('/').split('/').collect();
        match segments.as_slice() {
            ["redfish", "v1", "Systems"] => {
                let links: Vec<Value> = world
                    .machines
                    .iter()
                    .map(|machine| json!({"@odata.id": format!("/redfish/v1/Systems/{}", machine.id)}))
                    .collect();
                Answer::json(&json!({"Members": links, "Members@odata.count": 2}))
            }
            ["redfish", "v1", "TaskService", ..] => {
                Answer::json(&json!({"TaskState": "Exception", "Messages": [{"Message": "fuse blown"}]}))
            }
            ["redfish", "v1", "Systems", _, "ResetActionInfo"] => {
                let values = json!(["On", "ForceOff"]);
                Answer::json(&json!({"Parameters": [{"Name": "ResetType", "AllowableValues": values}]}))
            }
            ["redfish", "v1", "Systems" | "Other", id, rest @ ..] => match (world.find(id), rest) {
                (None, _) => error(404, "Base.1.0.ResourceMissingAtURI", "no such system"),
                (Some(at), []) => {
                    let mut system = self.system(at, world);
                    if segments[2] == "Other" {
                        let target = format!("{}/Actions/ComputerSystem.Reset", seen.path);
                        system["Actions"]["#ComputerSystem.Reset"]["target"] = json!(target);
                    }
                    Answer::json(&system).header("etag", "\"7\"")
                }
                (Some(at), _) => self.reset(seen, at, world),
            },
            _ => error(404, "Base.1.0.ResourceMissingAtURI", "nothing here"),
        }
    }
}

const BENCH: Bench = Bench {
    agent: &AGENT,
    options: "username=u\npassword=p",
    address: IP_AND_PORT,
    ca: "ca_file",
    plug: Some("101"),
    wildcard: Some("vm1*"),
    names_repeat: true,
    optional: &[("DELETE", "/redfish/v1/SessionService")],
    platform: || Box::new(Bmc::default()),
};

#[test]
fn no_fault_makes_it_lie() {
    matrix::run(&BENCH);
}

#[test]
fn no_fault_makes_it_lie_with_a_session() {
    let options = "username=u\npassword=p\nauth=session";
    matrix::run(&Bench { options, ..BENCH });
}

/// Runs an action on `vm1`, which is on, against a service of this kind.
fn run(platform: fn() -> Box<dyn Platform>, action: Action) -> matrix::Outcome {
    Case::new(&Bench { platform, ..BENCH }, action, action != Action::On).run()
}

#[test]
fn several_systems_without_a_name_are_an_error_that_lists_them() {
    // Upstream takes the last one (fence-drivers, 4.1).
    let outcome = Case::new(&Bench { plug: None, ..BENCH }, Action::Off, true).run();
    let failure = outcome.failure.unwrap().to_string();
    assert!(failure.contains("Systems/101") && failure.contains("Systems/102"), "{failure}");
    assert!(outcome.world.machines.iter().all(|machine| machine.on));
}

#[test]
fn a_system_is_found_by_its_id_its_name_and_its_uuid_in_any_case() {
    for plug in ["101", "VM1", "UUID-101"] {
        let outcome = Case { plug: Some(plug), ..Case::new(&BENCH, Action::Off, true) }.run();
        assert_eq!(outcome.exit, Exit::Success, "{plug}: {:?}", outcome.failure);
        assert!(!outcome.world.machines[0].on && outcome.world.machines[1].on);
    }
}

#[test]
fn a_node_name_from_the_cluster_does_not_stand_in_the_way_of_a_path() {
    let more = "nodename=node1\nport=node1\nsystems_uri=/redfish/v1/Systems/101/";
    let bench = Bench { plug: None, ..BENCH };
    let outcome = Case { more, ..Case::new(&bench, Action::Off, true) }.run();
    assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
    assert!(!outcome.world.machines[0].on && outcome.world.machines[1].on);
}

#[test]
fn a_redirected_reset_is_posted_to_the_same_system_elsewhere() {
    // Upstream turns it into a GET, which changes nothing and succeeds (fence-drivers, 4.1).
    for platform in [
        (|| Box::new(Bmc { kind: Kind::Moved(301) })) as fn() -> Box<dyn Platform>,
        || Box::new(Bmc { kind: Kind::Moved(302) }),
        || Box::new(Bmc { kind: Kind::Moved(308) }),
    ] {
        let outcome = run(platform, Action::Off);
        assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
        assert!(!outcome.world.machines[0].on);
    }
}

#[test]
fn without_force_off_it_fails_at_once_and_says_what_there_is() {
    let outcome = run(|| Box::new(Bmc { kind: Kind::NoForceOff }), Action::Off);
    assert!(outcome.failure.unwrap().to_string().contains("GracefulShutdown"));
    assert!(outcome.elapsed.as_secs() < 2);
    let monitor = run(|| Box::new(Bmc { kind: Kind::NoForceOff }), Action::Monitor);
    assert_eq!(monitor.exit, Exit::Failure, "monitor must tell before it is needed");
}

#[test]
fn a_precondition_is_met_with_the_etag() {
    assert_eq!(run(|| Box::new(Bmc { kind: Kind::Etag }), Action::Off).exit, Exit::Success);
}

#[test]
fn reset_kinds_are_found_in_an_action_info() {
    assert_eq!(run(|| Box::new(Bmc { kind: Kind::ActionInfo }), Action::Reboot).exit, Exit::Success);
}

#[test]
fn already_off_is_an_answer_to_be_checked() {
    assert_eq!(run(|| Box::new(Bmc { kind: Kind::Already }), Action::Off).exit, Exit::Success);
}

#[test]
fn a_task_that_fails_tells_why() {
    let outcome = run(|| Box::new(Bmc { kind: Kind::FailingTask }), Action::Off);
    let failure = outcome.failure.unwrap();
    assert_eq!(failure.row().number, 7);
    assert!(failure.hint().contains("fuse blown"), "{}", failure.hint());
}

#[test]
fn kubevirt_redfish_must_say_off_for_longer_than_its_cache() {
    let bench = Bench { platform: || Box::new(Bmc { kind: Kind::KubeVirt }), ..BENCH };
    for (action, on) in [(Action::Off, false), (Action::Off, true), (Action::Reboot, true)] {
        let outcome = Case::new(&bench, action, on).run();
        assert_eq!(outcome.exit, Exit::Success, "{action:?}: {:?}", outcome.failure);
        assert!(outcome.elapsed.as_secs() >= 31, "{action:?}: {:?}", outcome.elapsed);
    }
}

#[test]
fn a_session_is_ended_on_every_way_out() {
    let bench = Bench { options: "username=u\npassword=p\nauth=session", ..BENCH };
    assert_eq!(Case::new(&bench, Action::Off, true).run().world.note, "+-");
    assert_eq!(Case { plug: Some("nobody"), ..Case::new(&bench, Action::Off, true) }.run().world.note, "+-");
}

#[test]
fn an_expected_number_of_calls_is_made_for_status() {
    let outcome = run(BENCH.platform, Action::Status);
    assert_eq!(outcome.log.len(), 3, "{:?}", outcome.log);
}
