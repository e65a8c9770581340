use serde_json::{Value, json};

use super::AGENT;
use super::api::{Form, by_state};
use crate::core::action::Action;
use crate::core::failure::Exit;
use crate::testing::matrix::{self, Case};
use crate::testing::{Answer, Bench, IP_AND_PORT, Platform, Seen, Shown, World};

/// A vCenter with two machines.
#[derive(Default)]
struct VCenter {
    kind: Kind,
    sessions: usize,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Kind {
    #[default]
    New,
    /// Has nothing but `/rest`.
    Old,
    /// `vm1` is in this state until it is stopped.
    State(&'static str),
    /// The host of `vm1` is disconnected.
    Disconnected,
    /// Says this kind of error, with this status, to the first stop.
    Error(u16, &'static str),
    /// Has more machines than it lists at once.
    Full,
    /// The session is good for two calls.
    ShortSession,
}

impl VCenter {
    fn is_old(&self) -> bool {
        self.kind == Kind::Old
    }

    fn value(&self, value: Value) -> Answer {
        Answer::json(&if self.is_old() { json!({ "value": value }) } else { value })
    }

    fn error(&self, status: u16, kind: &str, text: &str) -> Answer {
        let messages = json!([{"id": "x", "default_message": text, "args": []}]);
        let body = match self.is_old() {
            true => json!({"type": format!("com.vmware.vapi.std.errors.{}", kind.to_lowercase()),
                "value": {"messages": messages}}),
            false => json!({"error_type": kind, "messages": messages}),
        };
        Answer::new(status, body.to_string())
    }

    fn listed(&self, world: &World, query: &str) -> Answer {
        if self.kind == Kind::Full && query.is_empty() {
            return self.error(
                400,
                "UNABLE_TO_ALLOCATE_RESOURCE",
                "Too many virtual machines. Add more filter criteria.",
            );
        }
        let name = query.strip_prefix(if self.is_old() { "filter.names=" } else { "names=" });
        let vms: Vec<Value> = world
            .machines
            .iter()
            .filter(|machine| name.is_none_or(|name| machine.name == name))
            .map(|machine| {
                let state = if machine.on { "POWERED_ON" } else { "POWERED_OFF" };
                json!({"vm": format!("vm-{}", machine.id), "name": machine.name, "power_state": state})
            })
            .collect();
        self.value(json!(vms))
    }

    fn info(&self, at: usize, world: &mut World) -> Answer {
        let untouched = at == 0 && world.machines[0].switched == 0;
        let state = match (self.kind, world.show(at)) {
            (Kind::State(word), _) if untouched => word,
            (Kind::Disconnected, _) if at == 0 => {
                return self.error(503, "SERVICE_UNAVAILABLE", "disconnected");
            }
            (_, Shown::On) => "POWERED_ON",
            (_, Shown::Off) => "POWERED_OFF",
            (_, Shown::Odd) => return self.error(503, "SERVICE_UNAVAILABLE", "disconnected"),
        };
        self.value(json!({"name": world.machines[at].name, "power_state": state, "guest_OS": "DEBIAN_12_64"}))
    }

    fn power(&mut self, at: usize, operation: &str, world: &mut World) -> Answer {
        let on = operation == "start";
        match self.kind {
            Kind::Error(status, kind) if world.note.is_empty() => {
                world.note = "said no".to_owned();
                return self.error(status, kind, "no");
            }
            _ => {}
        }
        if world.machines[at].on == on && world.machines[at].switched > 0 {
            return self.error(400, "ALREADY_IN_DESIRED_STATE", "is already in that state");
        }
        world.switch(at, on);
        Answer::new(if self.is_old() { 200 } else { 204 }, "")
    }
}

impl Platform for VCenter {
    fn answer(&mut self, seen: &Seen, world: &mut World) -> Answer {
        let (base, session) =
            if self.is_old() { ("/rest/", "com/vmware/cis/session") } else { ("/api/", "session") };
        let Some(path) = seen.path.strip_prefix(base) else { return Answer::new(404, "") };
        if path == session && seen.method == "POST" {
            if seen.header("authorization") != Some("Basic dTpw") {
                return self.error(401, "UNAUTHENTICATED", "Authentication required.");
            }
            self.sessions += 1;
            return Answer { status: 201, ..self.value(json!(format!("s{}", self.sessions))) };
        }
        let short = self.kind == Kind::ShortSession && self.sessions == 1 && world.calls > 2;
        let right = seen.header("vmware-api-session-id") == Some(format!("s{}", self.sessions).as_str());
        if short || !right || seen.header("authorization").is_some() {
            return self.error(401, "UNAUTHENTICATED", "Authentication required.");
        }
        let segments: Vec<&str> = path.split('/').collect();
        let found = segments.get(2).map(|id| world.find(id.strip_prefix("vm-").unwrap_or("none")));
        match (segments.as_slice(), found) {
            (["session"] | ["com", ..], _) => {
                world.note = "logged out".to_owned();
                Answer::new(204, "")
            }
            (["vcenter", "vm"], _) => self.listed(world, &seen.query),
            (_, Some(None)) => self.error(404, "NOT_FOUND", "no such machine"),
            (["vcenter", "vm", _], Some(Some(at))) => self.info(at, world),
            (["vcenter", "vm", _, "power"], Some(Some(at))) if !self.is_old() => {
                let action = seen.query.strip_prefix("action=").unwrap_or_default().to_owned();
                self.power(at, &action, world)
            }
            (["vcenter", "vm", _, "power", action], Some(Some(at))) if self.is_old() => {
                self.power(at, action, world)
            }
            _ => Answer::new(404, ""),
        }
    }
}

const BENCH: Bench = Bench {
    agent: &AGENT,
    options: "username=u\npassword=p",
    address: IP_AND_PORT,
    ca: "ca_file",
    plug: Some("vm1"),
    wildcard: Some("vm1*"),
    names_repeat: true,
    optional: &[("DELETE", "/api/session"), ("DELETE", "/rest/com/vmware/cis/session")],
    platform: || Box::new(VCenter::default()),
};

const OLD: Bench = Bench {
    options: "username=u\npassword=p\napi_path=/rest",
    platform: || Box::new(VCenter { kind: Kind::Old, ..VCenter::default() }),
    ..BENCH
};

#[test]
fn no_fault_makes_it_lie() {
    matrix::run(&BENCH);
}

#[test]
fn no_fault_makes_it_lie_about_an_older_version() {
    matrix::run(&OLD);
}

macro_rules! run {
    ($kind:expr, $action:expr, $plug:expr) => {{
        let platform = || Box::new(VCenter { kind: $kind, ..VCenter::default() }) as Box<dyn Platform>;
        Case::new(&Bench { platform, plug: $plug, ..BENCH }, $action, true).run()
    }};
    ($kind:expr, $action:expr) => {
        run!($kind, $action, BENCH.plug)
    };
}

#[test]
fn the_older_form_is_tried_where_there_is_no_newer_one() {
    let outcome = run!(Kind::Old, Action::Reboot);
    assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
    assert_eq!(outcome.world.note, "logged out");
}

#[test]
fn a_suspended_machine_is_not_off() {
    // Upstream reports it as off (fence-drivers, 6.1).
    assert_eq!(run!(Kind::State("SUSPENDED"), Action::Status).report.message.as_deref(), Some("Status: ON"));
    let off = run!(Kind::State("SUSPENDED"), Action::Off);
    assert_eq!(off.report.message.as_deref(), Some("Success: Powered OFF"));
    assert_eq!(by_state("NEW_WORD").power.word(), "UNKNOWN");
}

#[test]
fn two_plugs_are_two_machines() {
    // Upstream stops the second one twice (fence-contract, section 9).
    let outcome = run!(Kind::New, Action::Off, Some("vm1,vm-102"));
    assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
    assert!(outcome.world.machines.iter().all(|machine| !machine.on && machine.switched == 1));
}

#[test]
fn a_disconnected_host_proves_nothing() {
    let failure = run!(Kind::Disconnected, Action::Status).failure.unwrap();
    assert!(failure.hint().contains("fence the host"), "{failure}: {}", failure.hint());
}

#[test]
fn what_is_busy_is_asked_again_and_what_is_refused_is_not() {
    for kind in ["RESOURCE_BUSY", "NOT_ALLOWED_IN_CURRENT_STATE", "ALREADY_IN_DESIRED_STATE"] {
        let outcome = match kind {
            "RESOURCE_BUSY" => run!(Kind::Error(400, "RESOURCE_BUSY"), Action::Off),
            "ALREADY_IN_DESIRED_STATE" => run!(Kind::Error(400, "ALREADY_IN_DESIRED_STATE"), Action::Off),
            _ => run!(Kind::Error(400, "NOT_ALLOWED_IN_CURRENT_STATE"), Action::Off),
        };
        assert_eq!(outcome.exit, Exit::Success, "{kind}: {:?}", outcome.failure);
        assert!(!outcome.world.machines[0].on);
    }
    let failure = run!(Kind::Error(403, "UNAUTHORIZED"), Action::Off).failure.unwrap();
    assert_eq!(failure.row().number, 11);
    assert!(failure.to_string().contains("VirtualMachine.Interact.PowerOff"), "{failure}");
}

#[test]
fn a_list_that_vcenter_refuses_is_an_error_with_advice_and_monitor_does_not_ask_for_it() {
    let list = run!(Kind::Full, Action::List, None);
    let failure = list.failure.unwrap();
    assert!(failure.to_string().contains("Too many"), "{failure}");
    let monitor = run!(Kind::Full, Action::Monitor, None);
    assert_eq!(monitor.exit, Exit::Success, "{:?}", monitor.failure);
}

#[test]
fn a_session_that_expires_is_renewed() {
    let outcome = run!(Kind::ShortSession, Action::Off);
    assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
}

#[test]
fn a_filter_written_for_one_form_serves_the_other() {
    let filter = "filter.names.1=a&filter.names.2=b&filter.folders=group-v1";
    assert_eq!(Form::Api.raw_filter(filter), "names=a&names=b&folders=group-v1");
    assert_eq!(Form::Rest.raw_filter(filter), filter);
}
