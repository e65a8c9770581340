use serde_json::{Value, json};

use super::AGENT;
use crate::core::action::Action;
use crate::core::failure::Exit;
use crate::testing::matrix::{self, Case};
use crate::testing::{Answer, Bench, IP_AND_PORT, Platform, Seen, Shown, World};

/// A cluster of two nodes with a virtual machine on each.
#[derive(Default)]
struct Cluster {
    kind: Kind,
}

#[derive(Default, PartialEq)]
enum Kind {
    #[default]
    Plain,
    /// The node of `vm1` does not answer.
    NodeGone,
    /// `vm1` is on the other node from the first reading of its state on.
    Migrated,
    /// Knows no overrule-shutdown.
    Old,
    /// `vm1` is locked, and only root may pass.
    Locked,
    /// A login wants a second factor.
    SecondFactor,
    /// The login may look and not switch.
    NoPowerMgmt,
    /// Tasks end with an error and change nothing.
    FailingTask,
    /// QEMU says this while the status is `stopped`.
    Qmp(&'static str),
}

fn data(value: &Value) -> Answer {
    Answer::json(&json!({ "data": value }))
}

fn failed(status: u16, reason: &str) -> Answer {
    Answer::new(status, "{\"data\":null}").reason(reason)
}

impl Cluster {
    fn resources(&self, world: &World) -> Value {
        let mut list: Vec<Value> = world
            .machines
            .iter()
            .enumerate()
            .map(|(at, machine)| {
                let id: u64 = machine.id.parse().unwrap();
                let node =
                    ["pve1", "pve2"][if self.kind == Kind::Migrated && world.readings > 0 { 1 } else { at }];
                let status = if machine.on { "running" } else { "stopped" };
                json!({"type": "qemu", "vmid": id, "name": machine.name, "node": node, "status": status})
            })
            .collect();
        let first = if self.kind == Kind::NodeGone { "offline" } else { "online" };
        list.push(json!({"type": "node", "node": "pve1", "status": first}));
        list.push(json!({"type": "node", "node": "pve2", "status": "online"}));
        list.push(json!({"type": "qemu", "vmid": 900, "name": "vm1", "node": "pve1", "template": 1}));
        json!(list)
    }

    fn status(&self, at: usize, world: &mut World) -> Answer {
        let machine = world.machines[at].id;
        let (status, qmp) = match world.show(at) {
            Shown::On => ("running", "running"),
            Shown::Off => ("stopped", "stopped"),
            Shown::Odd => ("unknown", "unknown"),
        };
        let qmp = match self.kind {
            Kind::Qmp(word) => word,
            _ => qmp,
        };
        let lock = if self.kind == Kind::Locked { json!("backup") } else { Value::Null };
        let id: u64 = machine.parse().unwrap();
        data(&json!({"status": status, "qmpstatus": qmp, "vmid": id, "lock": lock}))
    }

    fn order(&self, what: &str, seen: &Seen, at: usize, world: &mut World) -> Answer {
        if self.kind == Kind::Old && seen.body.contains("overrule-shutdown") {
            let errors = json!({"overrule-shutdown": "property is not defined in schema"});
            return Answer::new(400, json!({ "errors": errors }).to_string())
                .reason("Parameter verification failed.");
        }
        if self.kind == Kind::Locked && !seen.body.contains("skiplock=1") {
            return failed(500, "VM is locked (backup)");
        }
        let node = ["pve1", "pve2"][at];
        let task =
            data(&json!(format!("UPID:{node}:00000001:1:2:{what}:{}:root@pam:", world.machines[at].id)));
        if self.kind == Kind::FailingTask {
            return task;
        }
        match what {
            "stop" => world.switch(at, false),
            "start" if world.machines[at].on => return failed(500, "VM 101 already running"),
            "start" | "reset" => world.switch(at, true),
            _ => return failed(501, "Method not implemented"),
        }
        task
    }
}

impl Platform for Cluster {
    fn answer(&mut self, seen: &Seen, world: &mut World) -> Answer {
        let path = seen.path.strip_prefix("/api2/json/").unwrap_or_default();
        if path == "access/ticket" {
            return match seen.body.as_str() {
                "username=root%40pam&password=p" => {
                    let tfa = u8::from(self.kind == Kind::SecondFactor);
                    data(&json!({"ticket": "PVE:t", "CSRFPreventionToken": "c", "NeedTFA": tfa}))
                }
                _ => failed(401, "authentication failure"),
            };
        }
        let by_ticket = seen.header("cookie") == Some("PVEAuthCookie=PVE:t")
            && (seen.method == "GET" || seen.header("csrfpreventiontoken") == Some("c"));
        if !by_ticket && seen.header("authorization") != Some("PVEAPIToken=u@pve!fence=s") {
            return failed(401, "No ticket");
        }
        let segments: Vec<&str> = path.split('/').collect();
        match segments.as_slice() {
            ["cluster", "resources"] => data(&self.resources(world)),
            ["access", "permissions"] => {
                let granted =
                    if self.kind == Kind::NoPowerMgmt { json!({}) } else { json!({"VM.PowerMgmt": 1}) };
                data(&json!({"/vms/101": granted, "/vms/102": granted}))
            }
            ["nodes", _, "tasks", ..] => {
                let end = if self.kind == Kind::FailingTask { "can't lock file" } else { "OK" };
                data(&json!({"status": "stopped", "exitstatus": end}))
            }
            ["nodes", node, "qemu", id, "status", what] => {
                let Some(at) = world.find(id) else { return failed(500, "no such VM") };
                if self.kind == Kind::NodeGone && at == 0 {
                    return failed(595, "No route to host");
                }
                if self.kind == Kind::Migrated && at == 0 && *node == "pve1" {
                    world.readings += 1;
                    return failed(
                        500,
                        "Configuration file 'nodes/pve1/qemu-server/101.conf' does not exist",
                    );
                }
                match *what {
                    "current" => self.status(at, world),
                    what => self.order(what, seen, at, world),
                }
            }
            _ => failed(501, "Method not implemented"),
        }
    }
}

const BENCH: Bench = Bench {
    agent: &AGENT,
    options: "password=p",
    address: IP_AND_PORT,
    ca: "ca_file",
    plug: Some("101"),
    wildcard: Some("vm1*"),
    names_repeat: true,
    optional: &[("GET", "/api2/json/nodes/pve1/tasks/"), ("GET", "/api2/json/access/permissions")],
    platform: || Box::new(Cluster::default()),
};

#[test]
fn no_fault_makes_it_lie() {
    matrix::run(&BENCH);
}

fn run(platform: fn() -> Box<dyn Platform>, action: Action) -> matrix::Outcome {
    Case::new(&Bench { platform, ..BENCH }, action, action != Action::On).run()
}

#[test]
fn an_api_token_works_in_either_form() {
    for options in [
        "username=u@pve!fence\npassword=s",
        "username=u@pve\ntoken_id=fence\ntoken=s",
        "token_id=u@pve!fence\ntoken=s",
    ] {
        let outcome = Case::new(&Bench { options, ..BENCH }, Action::Reboot, true).run();
        assert_eq!(outcome.exit, Exit::Success, "{options}: {:?}", outcome.failure);
        assert!(outcome.log.iter().all(|(_, path)| !path.contains("ticket")));
    }
}

#[test]
fn a_node_name_from_the_cluster_is_no_proxmox_node() {
    // Upstream asks for a node of that name (fence-drivers, 9.1).
    let outcome = Case { more: "nodename=node1\n", ..Case::new(&BENCH, Action::Off, true) }.run();
    assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
    assert!(outcome.log.iter().all(|(_, path)| !path.contains("node1/")));
}

#[test]
fn a_guest_is_found_by_its_name_and_a_template_is_none() {
    let outcome = Case { plug: Some("vm1"), ..Case::new(&BENCH, Action::Off, true) }.run();
    assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
    assert!(!outcome.world.machines[0].on && outcome.world.machines[1].on);
}

#[test]
fn an_unreachable_node_proves_nothing_and_is_named() {
    let outcome = run(|| Box::new(Cluster { kind: Kind::NodeGone }), Action::Off);
    let failure = outcome.failure.unwrap();
    assert!(failure.hint().contains("pve1"), "{failure}; {}", failure.hint());
    let list = Case::new(
        &Bench { platform: || Box::new(Cluster { kind: Kind::NodeGone }), ..BENCH },
        Action::ListStatus,
        false,
    )
    .run();
    let powers: Vec<&str> = list.report.list.iter().flatten().map(|entry| entry.power).collect();
    assert_eq!(powers, ["UNKNOWN", "ON"]);
}

#[test]
fn a_guest_that_migrated_is_followed() {
    let outcome = run(|| Box::new(Cluster { kind: Kind::Migrated }), Action::Off);
    assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
    assert!(outcome.log.iter().any(|(_, path)| path.contains("pve2/qemu/101/status/stop")));
}

#[test]
fn an_older_version_gets_what_it_knows() {
    assert_eq!(run(|| Box::new(Cluster { kind: Kind::Old }), Action::Off).exit, Exit::Success);
}

#[test]
fn a_lock_is_passed_by_root_and_named_to_others() {
    let platform = || Box::new(Cluster { kind: Kind::Locked }) as Box<dyn Platform>;
    assert_eq!(run(platform, Action::Off).exit, Exit::Success);
    let options = "username=u@pve!fence\npassword=s";
    let outcome = Case::new(&Bench { options, platform, ..BENCH }, Action::Off, true).run();
    let failure = outcome.failure.unwrap();
    assert!(failure.to_string().contains("locked") || failure.hint().contains("locked"), "{failure}");
}

#[test]
fn a_second_factor_is_said_to_be_in_the_way() {
    let failure = run(|| Box::new(Cluster { kind: Kind::SecondFactor }), Action::Monitor).failure.unwrap();
    assert!(failure.to_string().contains("NeedTFA") && failure.hint().contains("token"), "{failure}");
}

#[test]
fn monitor_tells_that_the_login_may_not_switch() {
    let outcome = run(|| Box::new(Cluster { kind: Kind::NoPowerMgmt }), Action::Monitor);
    assert_eq!(outcome.failure.unwrap().row().number, 11);
}

#[test]
fn a_task_that_fails_tells_why() {
    let outcome = run(|| Box::new(Cluster { kind: Kind::FailingTask }), Action::Off);
    let failure = outcome.failure.unwrap();
    assert!(failure.hint().contains("can't lock file"), "{}", failure.hint());
}

#[test]
fn stopped_counts_only_when_qemu_is_gone() {
    let outcome = Case::new(
        &Bench { platform: || Box::new(Cluster { kind: Kind::Qmp("paused") }), ..BENCH },
        Action::Status,
        false,
    )
    .run();
    assert_eq!(outcome.exit, Exit::Failure, "{:?}", outcome.report.message);
}
