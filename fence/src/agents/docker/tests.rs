use serde_json::{Value, json};

use super::DOCKER;
use crate::core::action::Action;
use crate::core::failure::Exit;
use crate::testing::matrix::{self, Case};
use crate::testing::{Answer, Bench, IP_AND_PORT, Platform, Seen, Shown, World};

/// An engine with two containers.
#[derive(Default)]
struct Mock {
    kind: Kind,
    starts: usize,
}

#[derive(Default, PartialEq)]
enum Kind {
    #[default]
    Plain,
    /// `vm1` is in this status, with or without a process, until it is killed.
    Status(&'static str, bool),
    /// Says 409 to killing what is paused.
    PausedStays,
    /// Finds containers by the beginning of their id.
    Prefix,
    /// Says that it restarted, and did not.
    NoRestart,
}

fn message(status: u16, text: &str) -> Answer {
    Answer::new(status, json!({ "message": text }).to_string())
}

impl Mock {
    fn status(&self, at: usize, world: &mut World) -> (&'static str, bool) {
        let killed = world.machines[at].switched > 0;
        match (&self.kind, world.show(at)) {
            (Kind::Status(status, alive), _) if at == 0 && !killed => (status, *alive),
            (Kind::PausedStays, _) if at == 0 && !killed && world.note.is_empty() => ("paused", true),
            (_, Shown::On) => ("running", true),
            (_, Shown::Off) => ("exited", false),
            (_, Shown::Odd) => ("removing", false),
        }
    }

    fn inspect(&self, at: usize, world: &mut World) -> Value {
        let (status, alive) = self.status(at, world);
        let machine = &world.machines[at];
        let pid = if alive { 4711 + self.starts } else { 0 };
        json!({
            "Id": machine.id, "Name": format!("/{}", machine.name),
            "State": {"Status": status, "Running": alive, "Pid": pid, "StartedAt": format!("T{}", self.starts)},
        })
    }
}

impl Platform for Mock {
    fn answer(&mut self, seen: &Seen, world: &mut World) -> Answer {
        let segments: Vec<&str> = seen.path.trim_matches('/').split('/').collect();
        let ["containers", rest @ ..] = segments.as_slice() else { return message(404, "page not found") };
        if let ["json"] = rest {
            let list: Vec<Value> = world
                .machines
                .iter()
                .map(|machine| {
                    let state = if machine.on { "running" } else { "exited" };
                    json!({"Id": machine.id, "Names": [format!("/{}", machine.name)], "State": state})
                })
                .collect();
            return Answer::json(&json!(list));
        }
        let found = match (&self.kind, rest[0]) {
            (Kind::Prefix, _) => Some(0),
            (_, word) => world.find(word),
        };
        let Some(at) = found else { return message(404, "No such container") };
        match rest[1] {
            "json" => Answer::json(&self.inspect(at, world)),
            "kill" if seen.query != "signal=SIGKILL" => message(400, "which signal?"),
            "kill" if self.kind == Kind::PausedStays && world.note.is_empty() => message(409, "is paused"),
            "kill" if !world.machines[at].on => message(409, "Container is not running"),
            "kill" => {
                world.switch(at, false);
                Answer::new(204, "")
            }
            "unpause" => {
                world.note = "unpaused".to_owned();
                Answer::new(204, "")
            }
            "start" if world.machines[at].on => Answer::new(304, ""),
            "start" => {
                world.switch(at, true);
                Answer::new(204, "")
            }
            "restart" => {
                if self.kind != Kind::NoRestart {
                    self.starts += 1;
                    world.switch(at, true);
                }
                Answer::new(204, "")
            }
            _ => message(404, "page not found"),
        }
    }
}

const BENCH: Bench = Bench {
    agent: &DOCKER,
    options: "",
    address: IP_AND_PORT,
    ca: "tlscacert",
    plug: Some("vm1"),
    wildcard: Some("vm1*"),
    // The engine forbids it.
    names_repeat: false,
    optional: &[],
    platform: || Box::new(Mock::default()),
};

#[test]
fn no_fault_makes_it_lie() {
    matrix::run(&BENCH);
}

fn run(platform: fn() -> Box<dyn Platform>, action: Action) -> matrix::Outcome {
    Case::new(&Bench { platform, ..BENCH }, action, true).run()
}

#[test]
fn a_paused_container_is_on_and_gets_killed() {
    let paused =
        || Box::new(Mock { kind: Kind::Status("paused", true), ..Mock::default() }) as Box<dyn Platform>;
    assert_eq!(run(paused, Action::Status).report.message.as_deref(), Some("Status: ON"));
    let outcome = run(paused, Action::Off);
    assert_eq!(outcome.report.message.as_deref(), Some("Success: Powered OFF"));
    assert!(!outcome.world.machines[0].on);
}

#[test]
fn a_paused_container_which_cannot_be_killed_is_unpaused_first() {
    let outcome = run(|| Box::new(Mock { kind: Kind::PausedStays, ..Mock::default() }), Action::Off);
    assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
    assert!(!outcome.world.machines[0].on);
}

#[test]
fn a_status_word_with_a_process_left_is_not_off() {
    for platform in [
        (|| Box::new(Mock { kind: Kind::Status("exited", true), ..Mock::default() }))
            as fn() -> Box<dyn Platform>,
        || Box::new(Mock { kind: Kind::Status("restarting", false), ..Mock::default() }),
        || Box::new(Mock { kind: Kind::Status("removing", false), ..Mock::default() }),
    ] {
        let outcome = run(platform, Action::Status);
        assert_eq!(outcome.exit, Exit::Failure, "{:?}", outcome.report.message);
    }
}

#[test]
fn the_beginning_of_an_id_names_no_container() {
    let platform = || Box::new(Mock { kind: Kind::Prefix, ..Mock::default() }) as Box<dyn Platform>;
    let outcome =
        Case { plug: Some("10"), ..Case::new(&Bench { platform, ..BENCH }, Action::Off, true) }.run();
    assert_eq!(outcome.exit, Exit::Failure);
    assert!(outcome.world.machines.iter().all(|machine| machine.switched == 0));
}

#[test]
fn a_restart_that_changed_nothing_is_no_cycle() {
    let good = run(BENCH.platform, Action::Cycle);
    assert_eq!(good.exit, Exit::Success, "{:?}", good.failure);
    let bad = run(|| Box::new(Mock { kind: Kind::NoRestart, ..Mock::default() }), Action::Cycle);
    assert_eq!(bad.exit, Exit::Failure);
}
