use serde_json::{Value, json};

use super::AGENT;
use super::api::by_code;
use crate::core::action::Action;
use crate::core::failure::Exit;
use crate::testing::matrix::{self, Case};
use crate::testing::{Answer, Bench, IP_AND_PORT, Platform, Seen, Shown, World};

/// A server with two instances.
#[derive(Default)]
struct Server {
    kind: Kind,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Kind {
    #[default]
    Plain,
    /// `vm1` is in this state, with this process, until it is stopped.
    State(u32, i64),
    /// The first operation fails.
    FailingOperation,
    /// The first request is refused with these words.
    Refuses(&'static str),
    /// Does not know us.
    Stranger,
    /// Offers another instance than the one that was asked for.
    Offers,
}

fn sync(value: &Value) -> Answer {
    Answer::json(&json!({"type": "sync", "status_code": 200, "metadata": value}))
}

fn error(status: u16, text: &str) -> Answer {
    Answer::new(status, json!({"type": "error", "error": text, "error_code": status}).to_string())
}

impl Server {
    fn instance(&self, at: usize, world: &World) -> Value {
        let machine = &world.machines[at];
        let (status, code) = if machine.on { ("Running", 103) } else { ("Stopped", 102) };
        json!({"name": machine.name, "location": "none", "status": status, "status_code": code, "type": "container"})
    }

    fn state(&self, at: usize, world: &mut World) -> Answer {
        let untouched = at == 0 && world.machines[0].switched == 0;
        let (code, pid) = match (self.kind, world.show(at)) {
            (Kind::State(code, pid), _) if untouched => (code, pid),
            (_, Shown::On) => (103, 4711),
            (_, Shown::Off) => (102, 0),
            (_, Shown::Odd) => (112, 0),
        };
        sync(&json!({"status": format!("S{code}"), "status_code": code, "pid": pid}))
    }

    fn order(&self, at: usize, seen: &Seen, world: &mut World) -> Answer {
        let body: Value = serde_json::from_str(&seen.body).unwrap();
        let on = match (body["action"].as_str(), body["force"].as_bool()) {
            (Some("stop"), Some(true)) => false,
            (Some("start"), _) => true,
            _ => return error(400, "Unknown state action"),
        };
        let first = world.note.is_empty();
        world.note = "asked".to_owned();
        match self.kind {
            Kind::Refuses(words) if first => return error(400, words),
            Kind::FailingOperation if first => {}
            _ if world.machines[at].on == on && world.machines[at].switched > 0 => {
                return error(400, "The instance is already in that state");
            }
            _ => {
                world.note = "done".to_owned();
                world.switch(at, on);
            }
        }
        let operation =
            json!({"type": "async", "status_code": 100, "operation": "/1.0/operations/o1?project=p"});
        Answer { status: 202, ..Answer::json(&operation) }
    }
}

impl Platform for Server {
    fn answer(&mut self, seen: &Seen, world: &mut World) -> Answer {
        let segments: Vec<&str> = seen.path.trim_matches('/').split('/').collect();
        if let ["1.0"] = segments.as_slice() {
            let auth = if self.kind == Kind::Stranger { "untrusted" } else { "trusted" };
            return sync(&json!({"auth": auth, "api_version": "1.0"}));
        }
        if let ["1.0", "operations", "o1", "wait"] = segments.as_slice() {
            let failed = world.note == "asked" && self.kind == Kind::FailingOperation;
            let (code, text) = if failed { (400, "Failed to stop the monitor") } else { (200, "") };
            return sync(&json!({"status_code": code, "err": text}));
        }
        let ["1.0", "instances", rest @ ..] = segments.as_slice() else { return error(404, "Not Found") };
        if !seen.query.contains("project=default") {
            return error(404, "Project not found");
        }
        if rest.is_empty() {
            return sync(&json!((0..2).map(|at| self.instance(at, world)).collect::<Vec<_>>()));
        }
        let found = world.machines.iter().position(|machine| machine.name == rest[0]);
        let Some(at) = found.or((self.kind == Kind::Offers).then_some(0)) else {
            return error(404, "Not Found");
        };
        match (&rest[1..], seen.method.as_str()) {
            ([], _) => sync(&self.instance(at, world)),
            (["state"], "GET") => self.state(at, world),
            (["state"], "PUT") => self.order(at, seen, world),
            _ => error(404, "Not Found"),
        }
    }
}

const BENCH: Bench = Bench {
    agent: &AGENT,
    options: "",
    address: IP_AND_PORT,
    ca: "ca_file",
    plug: Some("vm1"),
    wildcard: Some("vm*"),
    // The server forbids it within a project.
    names_repeat: false,
    optional: &[("GET", "/1.0/operations/")],
    platform: || Box::new(Server::default()),
};

#[test]
fn no_fault_makes_it_lie() {
    matrix::run(&BENCH);
}

macro_rules! run {
    ($kind:expr, $action:expr, $plug:expr) => {{
        let platform = || Box::new(Server { kind: $kind }) as Box<dyn Platform>;
        Case::new(&Bench { platform, plug: $plug, ..BENCH }, $action, true).run()
    }};
    ($kind:expr, $action:expr) => {
        run!($kind, $action, BENCH.plug)
    };
}

#[test]
fn only_stopped_without_a_process_is_off() {
    assert_eq!(run!(Kind::State(102, 0), Action::Status).exit, Exit::Off);
    assert_eq!(run!(Kind::State(102, -1), Action::Status).exit, Exit::Off);
    assert_eq!(run!(Kind::State(102, 7), Action::Status).exit, Exit::Failure);
    assert_eq!(run!(Kind::State(110, 7), Action::Status).exit, Exit::Success);
    for code in [100, 104, 105, 106, 107, 108, 112, 113, 200, 400] {
        assert_eq!(by_code(code, "x").power.word(), "UNKNOWN", "{code}");
    }
}

#[test]
fn a_frozen_instance_is_stopped() {
    let outcome = run!(Kind::State(110, 7), Action::Off);
    assert_eq!(outcome.report.message.as_deref(), Some("Success: Powered OFF"));
    assert!(!outcome.world.machines[0].on);
}

#[test]
fn an_operation_that_fails_is_asked_for_again() {
    let outcome = run!(Kind::FailingOperation, Action::Off);
    assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
    let busy = run!(Kind::Refuses("Instance is busy: Busy running a \"start\" operation"), Action::Off);
    assert_eq!(busy.exit, Exit::Success, "{:?}", busy.failure);
    assert_eq!(run!(Kind::Refuses("Bad request"), Action::Off).exit, Exit::Failure);
}

#[test]
fn another_name_than_the_one_asked_for_is_refused() {
    let outcome = run!(Kind::Offers, Action::Off, Some("vm"));
    assert_eq!(outcome.failure.unwrap().row().number, 12);
    assert!(outcome.world.machines.iter().all(|machine| machine.switched == 0));
}

#[test]
fn a_stranger_is_told_so() {
    let failure = run!(Kind::Stranger, Action::Monitor, None).failure.unwrap();
    assert!(failure.row().number == 11 && failure.to_string().contains("trust store"), "{failure}");
}
