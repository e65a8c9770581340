use serde_json::{Value, json};

use super::AGENT;
use super::exactly;
use crate::core::action::Action;
use crate::core::failure::Exit;
use crate::testing::matrix::{self, Case};
use crate::testing::tls::TempFile;
use crate::testing::{Answer, Bench, Platform, Seen, Shown, World, driver};

/// A cloud with two servers, all its services at one address.
#[derive(Default)]
struct Cloud {
    kind: Kind,
    tokens: usize,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Kind {
    #[default]
    Plain,
    /// `vm1` is in this status, power state, task and host status until a request comes.
    State(&'static str, Option<i64>, Option<&'static str>, &'static str),
    /// Knows no versions of Nova's API.
    Old,
    /// Lists one server a page.
    Paged,
    /// Names are patterns which match everything.
    FindsAll,
    /// Takes these as who logs in.
    Login(&'static str),
    /// The catalog has this many regions.
    Regions(usize),
    /// A hard reboot ends with this.
    Reboot(&'static str),
}

const PREFIX: &str = "00000000-0000-0000-0000-000000000";

fn error(status: u16, name: &str, text: &str) -> Answer {
    Answer::new(status, json!({name: {"code": status, "message": text}}).to_string())
}

impl Cloud {
    fn server(&self, at: usize, shown: Shown, world: &World) -> Value {
        let machine = &world.machines[at];
        let untouched = at == 0 && machine.switched == 0;
        let (status, power, task, host) = match (self.kind, shown) {
            (Kind::State(status, power, task, host), _) if untouched => (status, power, task, host),
            (_, Shown::On) => ("ACTIVE", Some(1), None, "UP"),
            (_, Shown::Off) => ("SHUTOFF", Some(4), None, "UP"),
            (_, Shown::Odd) => ("SHUTOFF", Some(1), None, "UP"),
        };
        json!({"id": format!("{PREFIX}{}", machine.id), "name": machine.name, "status": status,
            "OS-EXT-STS:power_state": power, "OS-EXT-STS:task_state": task, "host_status": host,
            "OS-EXT-SRV-ATTR:host": "compute1"})
    }

    fn listed(&self, seen: &Seen, world: &World) -> Answer {
        let query =
            |name: &str| seen.query.split('&').find_map(|part| part.strip_prefix(name)).map(str::to_owned);
        let name = query("name=%5E").map(|name| name.trim_end_matches("%24").to_owned());
        let all: Vec<Value> = (0..world.machines.len())
            .filter(|&at| {
                self.kind == Kind::FindsAll || name.as_ref().is_none_or(|n| world.machines[at].name == n)
            })
            .map(|at| self.server(at, if world.machines[at].on { Shown::On } else { Shown::Off }, world))
            .collect();
        if self.kind != Kind::Paged {
            return Answer::json(&json!({ "servers": all }));
        }
        let from: usize = query("marker=").and_then(|marker| marker.parse().ok()).unwrap_or(0);
        let mut page = json!({"servers": all.iter().skip(from).take(1).collect::<Vec<_>>()});
        if from + 1 < all.len() {
            let href = format!("http://elsewhere/v2.1/servers/detail?marker={}", from + 1);
            page["servers_links"] = json!([{"rel": "next", "href": href}]);
        }
        Answer::json(&page)
    }

    fn login(&mut self, seen: &Seen) -> Answer {
        let right = match self.kind {
            Kind::Login(body) => body,
            _ => concat!(
                r#"{"auth":{"identity":{"methods":["password"],"password":{"user":"#,
                r#"{"domain":{"name":"Default"},"name":"u","password":"p"}}},"#,
                r#""scope":{"project":{"domain":{"name":"Default"},"name":"admin"}}}}"#
            ),
        };
        if seen.body != right || seen.header("x-auth-token").is_some() {
            return error(401, "error", "The request you have made requires authentication.");
        }
        self.tokens += 1;
        let host = seen.header("host").unwrap();
        let count = if let Kind::Regions(count) = self.kind { count } else { 1 };
        let endpoints: Vec<Value> = (0..count)
            .flat_map(|at| {
                let region = format!("r{}", at + 1);
                // The second region leads nowhere.
                let port = if at == 0 { host.to_owned() } else { "127.0.0.1:1".to_owned() };
                let url = format!("http://{port}/compute/v2.1");
                ["public", "internal"].map(|interface| {
                    json!({"interface": interface, "region": region, "region_id": region, "url": url})
                })
            })
            .collect();
        let catalog =
            json!([{"type": "image", "endpoints": []}, {"type": "compute", "endpoints": endpoints}]);
        let answer = Answer::json(&json!({"token": {"catalog": catalog}}));
        Answer { status: 201, ..answer }.header("X-Subject-Token", &format!("t{}", self.tokens))
    }

    fn action(&self, at: usize, seen: &Seen, world: &mut World) -> Answer {
        let accepted = Answer::new(202, "").header("x-openstack-request-id", "req-1");
        let status = if world.machines[at].on { "active" } else { "stopped" };
        let refused =
            || error(409, "conflictingRequest", &format!("Cannot do it while it is in vm_state {status}"));
        let paused = matches!(self.kind, Kind::State("PAUSED", ..)) && world.machines[at].switched == 0;
        match seen.body.as_str() {
            r#"{"os-stop":null}"# if paused => refused(),
            r#"{"os-stop":null}"# => {
                world.switch(at, false);
                accepted
            }
            r#"{"os-start":null}"# if world.machines[at].on => refused(),
            r#"{"os-start":null}"# | r#"{"reboot":{"type":"HARD"}}"# => {
                world.switch(at, true);
                accepted
            }
            _ => error(400, "badRequest", "There is no such action"),
        }
    }
}

impl Platform for Cloud {
    fn answer(&mut self, seen: &Seen, world: &mut World) -> Answer {
        let segments: Vec<&str> = seen.path.trim_matches('/').split('/').collect();
        if let ["identity", "v3", "auth", "tokens"] = segments.as_slice() {
            return match seen.method.as_str() {
                "POST" => self.login(seen),
                _ => {
                    world.note = "revoked".to_owned();
                    Answer::new(204, "")
                }
            };
        }
        if seen.header("x-auth-token") != Some(format!("t{}", self.tokens).as_str()) {
            return error(401, "error", "The request you have made requires authentication.");
        }
        if self.kind == Kind::Old && seen.header("openstack-api-version").is_some() {
            return error(406, "computeFault", "Version 2.16 is not supported by the API.");
        }
        let ["compute", "v2.1", "servers", rest @ ..] = segments.as_slice() else {
            return Answer::new(404, "");
        };
        if let [] | ["detail"] = rest {
            return self.listed(seen, world);
        }
        let Some(at) = world.find(rest[0].strip_prefix(PREFIX).unwrap_or("none")) else {
            return error(404, "itemNotFound", "Instance could not be found.");
        };
        match &rest[1..] {
            [] => {
                let shown = world.show(at);
                Answer::json(&json!({"server": self.server(at, shown, world)}))
            }
            ["action"] => self.action(at, seen, world),
            ["os-instance-actions", "req-1"] => {
                let result = if let Kind::Reboot(word) = self.kind { word } else { "Success" };
                let events = json!([{"event": "compute_reboot_instance", "result": result}]);
                Answer::json(&json!({"instanceAction": {"action": "reboot", "events": events}}))
            }
            _ => Answer::new(404, ""),
        }
    }
}

const BENCH: Bench = Bench {
    agent: &AGENT,
    options: "username=u\npassword=p",
    address: |port, tls| {
        let scheme = if tls { "https" } else { "http" };
        let nova = format!("endpoint_override={scheme}://127.0.0.1:{port}/compute/v2.1\n");
        format!("auth_url={scheme}://127.0.0.1:{port}/identity\n{}", if tls { nova } else { String::new() })
    },
    ca: "cacert",
    plug: Some("00000000-0000-0000-0000-000000000101"),
    wildcard: Some("vm."),
    names_repeat: true,
    optional: &[("DELETE", "/identity/v3/auth/tokens")],
    platform: || Box::new(Cloud::default()),
};

#[test]
fn no_fault_makes_it_lie() {
    matrix::run(&BENCH);
}

macro_rules! run {
    ($kind:expr, $action:expr, $($field:ident: $value:expr),*) => {{
        let platform = || Box::new(Cloud { kind: $kind, ..Cloud::default() }) as Box<dyn Platform>;
        Case::new(&Bench { platform, $($field: $value,)* ..BENCH }, $action, true).run()
    }};
    ($kind:expr, $action:expr) => {
        run!($kind, $action,)
    };
}

#[test]
fn the_database_alone_proves_nothing() {
    for outcome in [
        run!(Kind::State("SHUTOFF", Some(1), None, "UP"), Action::Status),
        run!(Kind::State("SHUTOFF", None, None, "UP"), Action::Status),
        run!(Kind::State("SHUTOFF", Some(4), Some("powering-on"), "UP"), Action::Status),
        run!(Kind::State("SHUTOFF", Some(4), None, "DOWN"), Action::Status),
        run!(Kind::State("ERROR", Some(4), None, "UP"), Action::Status),
        run!(Kind::State("DELETED", Some(4), None, "UP"), Action::Status),
    ] {
        assert_eq!(outcome.exit, Exit::Failure, "{:?}", outcome.report.message);
    }
    let off = run!(Kind::State("SHELVED_OFFLOADED", Some(4), None, ""), Action::Status);
    assert_eq!(off.exit, Exit::Off, "{:?}", off.failure);
}

#[test]
fn a_server_in_error_can_be_fenced() {
    // Upstream fails at once (fence-drivers, 10.1).
    let outcome = run!(Kind::State("ERROR", Some(1), None, "UP"), Action::Off);
    assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
    assert!(!outcome.world.machines[0].on);
}

#[test]
fn a_host_that_is_down_is_named() {
    let outcome = run!(Kind::State("ACTIVE", Some(1), None, "DOWN"), Action::Status);
    assert!(outcome.failure.unwrap().hint().contains("compute1"));
}

#[test]
fn a_paused_server_is_on_and_the_refusal_is_told() {
    assert_eq!(run!(Kind::State("PAUSED", Some(3), None, "UP"), Action::Status).exit, Exit::Success);
    let failure = run!(Kind::State("PAUSED", Some(3), None, "UP"), Action::Off).failure.unwrap();
    assert!(failure.hint().contains("method=cycle"), "{failure}: {}", failure.hint());
}

#[test]
fn a_hard_reboot_counts_when_nova_says_that_it_was_done() {
    assert_eq!(run!(Kind::Plain, Action::Cycle).exit, Exit::Success);
    assert_eq!(run!(Kind::Reboot("Error"), Action::Cycle).exit, Exit::Failure);
}

#[test]
fn a_name_is_one_server_or_nothing_happens() {
    let outcome = run!(Kind::FindsAll, Action::Off, plug: Some("vm1"));
    assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
    assert!(!outcome.world.machines[0].on && outcome.world.machines[1].on);
    assert_eq!(exactly("db(1).x"), r"^db\(1\)\.x$");
}

#[test]
fn the_older_name_of_plug_works() {
    let options = "username=u\npassword=p\nuuid=00000000-0000-0000-0000-000000000101";
    let outcome = run!(Kind::Plain, Action::Off, plug: None, options: options);
    assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
}

#[test]
fn an_older_nova_is_asked_without_a_version() {
    assert_eq!(run!(Kind::Old, Action::Off).exit, Exit::Success);
}

#[test]
fn lists_are_complete() {
    let outcome = run!(Kind::Paged, Action::ListStatus, plug: None);
    assert_eq!(outcome.report.list.map(|list| list.len()), Some(2), "{:?}", outcome.failure);
}

#[test]
fn an_application_credential_has_no_scope() {
    const BY_ID: &str = concat!(
        r#"{"auth":{"identity":{"application_credential":{"id":"a","secret":"s"},"#,
        r#""methods":["application_credential"]}}}"#
    );
    let options = "application_credential_id=a\napplication_credential_secret=s";
    let by_id = run!(Kind::Login(BY_ID), Action::Off, options: options);
    assert_eq!(by_id.exit, Exit::Success, "{:?}", by_id.failure);
    assert_eq!(by_id.world.note, "revoked");
    const BY_NAME: &str = concat!(
        r#"{"auth":{"identity":{"application_credential":{"name":"n","secret":"s","#,
        r#""user":{"domain":{"name":"Default"},"name":"u"}},"methods":["application_credential"]}}}"#
    );
    let options = "username=u\napplication_credential_name=n\napplication_credential_secret=s";
    let by_name = run!(Kind::Login(BY_NAME), Action::Off, options: options);
    assert_eq!(by_name.exit, Exit::Success, "{:?}", by_name.failure);
}

#[test]
fn a_region_must_be_chosen_where_there_are_several() {
    let outcome = run!(Kind::Regions(2), Action::Monitor);
    assert!(outcome.failure.unwrap().hint().contains("region_name"));
    let options = "username=u\npassword=p\nregion_name=r1";
    assert_eq!(run!(Kind::Regions(2), Action::Monitor, options: options).exit, Exit::Success);
    let options = "username=u\npassword=p\nregion_name=r9";
    assert_eq!(run!(Kind::Regions(2), Action::Monitor, options: options).exit, Exit::Failure);
}

#[test]
fn a_cloud_of_clouds_yaml_is_all_it_needs_and_verify_means_what_it_says() {
    let clouds = "clouds:\n  lab:\n    verify: true\n    auth:\n      username: u\n      password: p\n      \
                  auth_url: http://127.0.0.1:1/identity\n      project_name: admin\n";
    let file = TempFile::new("clouds", clouds);
    let lines = |more: &str| format!("cloud=lab\nclouds_file={}\n{more}", file.0.display());
    assert!(driver(&AGENT, &lines("")).is_ok());
    let unknown = driver(&AGENT, &lines("cloud=home\n")).map(|_| ()).unwrap_err();
    assert!(unknown.to_string().contains("lab"), "{unknown}");
    for missing in
        ["username=u\npassword=p\n", "auth_url=http://k\npassword=p\n", "auth_url=http://k\nusername=u\n"]
    {
        assert!(driver(&AGENT, missing).is_err(), "{missing}");
    }
}
