//! The mock of a BMC.

use serde_json::{Value, json};

use super::service::{self, Sessions};
use crate::testing::{Answer, Platform, Seen, Shown, World};

/// A service with two systems. What makes vendors differ is switched on by `kind`.
#[derive(Default)]
pub(super) struct Bmc {
    pub(super) kind: Kind,
    sessions: Sessions,
}

#[derive(Default, PartialEq)]
pub(super) enum Kind {
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

pub(super) fn error(status: u16, id: &str, text: &str) -> Answer {
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
        let more = json!({
            "Name": machine.name, "UUID": format!("uuid-{}", machine.id), "PowerState": power,
            "Actions": {"#ComputerSystem.Reset": reset},
        });
        service::resource(&path, "ComputerSystem.v1_20_0.ComputerSystem", &more)
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

impl Bmc {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, ..Self::default() }
    }

    fn decide(&mut self, seen: &Seen, path: &str, world: &mut World) -> Answer {
        let product = if self.kind == Kind::KubeVirt { "kubevirt-redfish" } else { "Mock BMC" };
        if let Some(answer) = service::refused(seen, path).or_else(|| service::public(path, product)) {
            return answer;
        }
        if seen.method == "POST" && path.trim_end_matches("/Members") == service::SESSIONS {
            world.note += "+";
            return self.sessions.create(seen);
        }
        if !self.sessions.knows(seen) {
            return service::unknown();
        }
        if seen.method == "DELETE" {
            world.note += "-";
        }
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        if let Some(answer) = service::known(seen, &segments, &mut self.sessions) {
            return answer;
        }
        match segments.as_slice() {
            ["redfish", "v1", "Systems"] => {
                let links =
                    world.machines.iter().map(|machine| format!("/redfish/v1/Systems/{}", machine.id));
                let links: Vec<Value> = links.map(|path| service::link(&path)).collect();
                service::collection("/redfish/v1/Systems", "ComputerSystemCollection", &links)
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
                        let target = format!("{path}/Actions/ComputerSystem.Reset");
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

impl Platform for Bmc {
    fn label(&self, seen: &Seen) -> (String, String) {
        (seen.method.clone(), seen.path.trim_end_matches('/').to_owned())
    }

    fn answer(&mut self, seen: &Seen, world: &mut World) -> Answer {
        let path = seen.path.trim_end_matches('/');
        let answer = self.decide(seen, path, world);
        service::finished(seen, path, answer)
    }
}
