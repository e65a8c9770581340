use serde_json::{Value, json};

use super::AGENT;
use crate::core::action::Action;
use crate::core::failure::Exit;
use crate::testing::matrix::{self, Case};
use crate::testing::{Answer, Bench, IP_AND_PORT, Platform, Seen, Shown, World, driver};

/// An engine with two machines.
#[derive(Default)]
struct Engine {
    kind: Kind,
    tokens: usize,
}

#[derive(Default, PartialEq)]
enum Kind {
    #[default]
    Plain,
    /// `vm1` is in this status until it is stopped; nothing for an answer without a status.
    Status(Option<&'static str>),
    /// Refuses logins with this HTTP status.
    Refuses(u16),
    /// Has no single sign-on.
    Old,
    /// The login sees nothing.
    Blind,
    /// The search is deaf to what is asked and finds everything.
    FindsAll,
    /// A job holds the machine when it is stopped for the first time.
    Busy,
    /// The first token is good for three calls.
    ShortSession,
}

const PREFIX: &str = "00000000-0000-0000-0000-000000000";

fn fault(status: u16, reason: &str, detail: &str) -> Answer {
    Answer::new(status, json!({"reason": reason, "detail": detail}).to_string())
}

impl Engine {
    fn vm(&self, at: usize, status: &str, world: &World) -> Value {
        let machine = &world.machines[at];
        let mut vm = json!({"id": format!("{PREFIX}{}", machine.id), "name": machine.name, "status": status,
            "host": {"id": "h1", "href": "/ovirt-engine/api/hosts/h1"}});
        if self.kind == Kind::Status(None) && at == 0 {
            vm.as_object_mut().unwrap().remove("status");
        }
        vm
    }

    fn listed(&self, world: &World, query: &str) -> Answer {
        let wanted = query
            .strip_prefix("search=name%3D%22")
            .map(|search| search.trim_end_matches("%22").replace("%20", " "));
        let found: Vec<Value> = (0..world.machines.len())
            .filter(|&at| {
                self.kind == Kind::FindsAll
                    || wanted.as_ref().is_none_or(|name| world.machines[at].name == name)
            })
            .map(|at| self.vm(at, if world.machines[at].on { "up" } else { "down" }, world))
            .collect();
        match found.is_empty() || self.kind == Kind::Blind {
            true => Answer::json(&json!({})),
            false => Answer::json(&json!({ "vm": found })),
        }
    }

    fn token(&mut self, seen: &Seen) -> Answer {
        match self.kind {
            Kind::Old => return Answer::new(404, "<html>Not Found</html>"),
            Kind::Refuses(status) => {
                let refusal =
                    json!({"error": "access_denied", "error_description": "wrong user or password"});
                return Answer::new(status, refusal.to_string());
            }
            _ => {}
        }
        let right = "grant_type=password&scope=ovirt-app-api&username=admin%40internal&password=p";
        if seen.body != right || seen.header("authorization").is_some() {
            return Answer::new(400, json!({"error": "invalid_request"}).to_string());
        }
        self.tokens += 1;
        Answer::json(
            &json!({"access_token": format!("t{}", self.tokens), "scope": "ovirt-app-api", "exp": "1"}),
        )
    }
}

impl Platform for Engine {
    fn answer(&mut self, seen: &Seen, world: &mut World) -> Answer {
        if seen.path == "/ovirt-engine/sso/oauth/token" {
            return self.token(seen);
        }
        let word = seen.header("authorization").unwrap_or_default();
        let good = match self.kind {
            Kind::Old => word == "Basic YWRtaW5AaW50ZXJuYWw6cA==",
            Kind::ShortSession if world.calls > 3 && self.tokens == 1 => false,
            _ => word == format!("Bearer t{}", self.tokens),
        };
        if !good || seen.header("filter") != Some("true") || seen.header("accept") != Some("application/json")
        {
            return Answer::new(401, "");
        }
        if seen.path == "/ovirt-engine/services/sso-logout" {
            world.note = "logged out".to_owned();
            return Answer::new(200, "");
        }
        let segments: Vec<&str> = seen.path.split('/').collect();
        let ["", "ovirt-engine", "api", "vms", rest @ ..] = segments.as_slice() else {
            return Answer::new(404, "");
        };
        let found = rest.first().map(|id| world.find(id.strip_prefix(PREFIX).unwrap_or("none")));
        match (rest, found) {
            ([], _) => self.listed(world, &seen.query),
            (_, Some(None) | None) => fault(404, "Not Found", "no such VM"),
            ([_], Some(Some(at))) => {
                let status = match (&self.kind, world.show(at)) {
                    (Kind::Status(Some(word)), _) if at == 0 && world.machines[0].switched == 0 => word,
                    (_, Shown::On) => "up",
                    (_, Shown::Off) => "down",
                    (_, Shown::Odd) => "not_responding",
                };
                Answer::json(&self.vm(at, status, world))
            }
            ([_, "stop"], _) if seen.body != r#"{"force":true}"# => {
                fault(400, "Request syntactically", "force")
            }
            ([_, "stop"], _) if self.kind == Kind::Busy && world.note.is_empty() => {
                world.note = "was busy".to_owned();
                fault(
                    409,
                    "Operation Failed",
                    "[Cannot stop VM. Related operation is currently in progress.]",
                )
            }
            ([_, "stop"], Some(Some(at))) => {
                world.switch(at, false);
                Answer::json(&json!({"status": "complete"}))
            }
            ([_, "start"], Some(Some(at))) if world.machines[at].on => {
                fault(409, "Operation Failed", "[Cannot run VM. VM is running.]")
            }
            ([_, "start"], Some(Some(at))) => {
                world.switch(at, true);
                Answer::json(&json!({"status": "complete"}))
            }
            _ => Answer::new(404, ""),
        }
    }
}

const BENCH: Bench = Bench {
    agent: &AGENT,
    options: "username=admin@internal\npassword=p",
    address: IP_AND_PORT,
    ca: "ca_file",
    plug: Some("vm1"),
    wildcard: Some("vm1*"),
    names_repeat: true,
    optional: &[("POST", "/ovirt-engine/services/sso-logout")],
    platform: || Box::new(Engine::default()),
};

#[test]
fn no_fault_makes_it_lie() {
    matrix::run(&BENCH);
}

fn run(platform: fn() -> Box<dyn Platform>, action: Action) -> matrix::Outcome {
    Case::new(&Bench { platform, ..BENCH }, action, true).run()
}

#[test]
fn an_answer_without_a_status_is_not_off() {
    // Upstream takes it as off (fence-drivers, 5.1).
    let outcome = run(|| Box::new(Engine { kind: Kind::Status(None), ..Engine::default() }), Action::Off);
    assert_eq!(outcome.exit, Exit::Failure, "{:?}", outcome.report.message);
}

#[test]
fn a_pattern_switches_nothing_and_the_engine_is_not_even_asked() {
    for plug in ["vm*", "*", "vm1\" or name=\"vm2", "vm"] {
        let platform = || Box::new(Engine { kind: Kind::FindsAll, ..Engine::default() }) as Box<dyn Platform>;
        let bench = Bench { platform, ..BENCH };
        let outcome = Case { plug: Some(plug), ..Case::new(&bench, Action::Off, true) }.run();
        assert_eq!(outcome.exit, Exit::Failure, "{plug}");
        assert!(outcome.world.machines.iter().all(|machine| machine.switched == 0), "{plug}");
    }
}

#[test]
fn of_all_that_the_search_finds_the_one_of_the_name_is_taken() {
    let outcome = run(|| Box::new(Engine { kind: Kind::FindsAll, ..Engine::default() }), Action::Off);
    assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
    assert!(!outcome.world.machines[0].on && outcome.world.machines[1].on);
}

#[test]
fn an_id_is_asked_for_directly() {
    let plug = Some("00000000-0000-0000-0000-000000000101");
    let outcome = Case { plug, ..Case::new(&BENCH, Action::Off, true) }.run();
    assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
    assert!(outcome.log.iter().all(|(_, path)| path != "/ovirt-engine/api/vms"));
}

#[test]
fn two_plugs_are_two_machines() {
    // Upstream sends both requests to the second one (fence-contract, section 9).
    let outcome = Case { plug: Some("vm1,vm2"), ..Case::new(&BENCH, Action::Off, true) }.run();
    assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
    assert!(outcome.world.machines.iter().all(|machine| !machine.on && machine.switched == 1));
}

#[test]
fn only_down_is_off_and_what_can_go_on_is_on() {
    let status =
        |action| run(|| Box::new(Engine { kind: Kind::Status(Some("paused")), ..Engine::default() }), action);
    assert_eq!(status(Action::Status).report.message.as_deref(), Some("Status: ON"));
    let off = status(Action::Off);
    assert_eq!(off.report.message.as_deref(), Some("Success: Powered OFF"));
    assert_eq!(off.world.machines[0].switched, 1);
    for word in ["suspended", "saving_state", "migrating", "powering_up"] {
        assert_eq!(super::api::by_status(word).power.word(), "ON", "{word}");
    }
    for word in ["image_locked", "powering_down", "unassigned", "unknown", "not_responding", "new word", ""] {
        assert_eq!(super::api::by_status(word).power.word(), "UNKNOWN", "{word}");
    }
}

#[test]
fn a_lost_host_is_named() {
    let engine = || {
        Box::new(Engine { kind: Kind::Status(Some("not_responding")), ..Engine::default() })
            as Box<dyn Platform>
    };
    let failure = run(engine, Action::Status).failure.unwrap();
    assert!(failure.hint().contains("host h1"), "{}", failure.hint());
}

#[test]
fn a_refused_login_is_one_whatever_status_it_comes_with() {
    for kind in [
        (|| Box::new(Engine { kind: Kind::Refuses(200), ..Engine::default() })) as fn() -> Box<dyn Platform>,
        || Box::new(Engine { kind: Kind::Refuses(400), ..Engine::default() }),
        || Box::new(Engine { kind: Kind::Refuses(401), ..Engine::default() }),
    ] {
        for action in [Action::Monitor, Action::List, Action::Off] {
            let failure = run(kind, action).failure.unwrap();
            assert_eq!(failure.row().number, 3, "{failure}");
            assert!(failure.to_string().contains("wrong user or password"), "{failure}");
        }
    }
}

#[test]
fn an_engine_without_single_sign_on_gets_the_password() {
    let outcome = run(|| Box::new(Engine { kind: Kind::Old, ..Engine::default() }), Action::Off);
    assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
}

#[test]
fn a_login_that_sees_nothing_is_told_so() {
    for action in [Action::List, Action::Monitor] {
        let platform = || Box::new(Engine { kind: Kind::Blind, ..Engine::default() }) as Box<dyn Platform>;
        let bench = Bench { platform, plug: None, wildcard: None, ..BENCH };
        let failure = Case::new(&bench, action, true).run().failure.unwrap();
        assert_eq!(failure.row().number, 11, "{failure}");
        assert!(failure.to_string().contains("UserVmRunTimeManager"), "{failure}");
    }
}

#[test]
fn a_busy_machine_is_asked_again() {
    let outcome = run(|| Box::new(Engine { kind: Kind::Busy, ..Engine::default() }), Action::Off);
    assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
}

#[test]
fn a_session_that_expires_is_renewed_and_ended() {
    let outcome = run(|| Box::new(Engine { kind: Kind::ShortSession, ..Engine::default() }), Action::Reboot);
    assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
    assert_eq!(outcome.world.note, "logged out");
}

#[test]
fn versions_of_the_api_that_no_engine_has_are_refused() {
    let built = |version: &str| {
        driver(&AGENT, &format!("ip=h\nusername=u\npassword=p\napi_version={version}\n")).map(|_| ())
    };
    assert_eq!(built("auto"), Ok(()));
    assert!(built("3").unwrap_err().to_string().contains("api_version"));
}
