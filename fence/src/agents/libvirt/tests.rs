use serde_json::{Value, json};

use super::{LIBVIRT, VIRSH};
use crate::core::action::Action;
use crate::core::child::Output;
use crate::core::failure::Exit;
use crate::core::fault::Fault;
use crate::http::{Client, encode};
use crate::testing::matrix::{self, Case};
use crate::testing::{Answer, Bench, IP_AND_PORT, Platform, Seen, Shown, World, driver};

/// Runs virsh in the mock: what changes something is a POST, so that the matrix knows it for a command.
pub(super) async fn run(http: &mut Client, line: &str, changes: bool) -> Result<Output, Fault> {
    let path = format!("/{}", line.split(' ').map(encode).collect::<Vec<_>>().join("/"));
    let reply = if changes { http.post(path).any().await? } else { http.get(path).any().await? };
    if !reply.is_success() {
        return Err(match reply.fault(|_| None) {
            // A program that fails does not say so: what it says of a missing domain is among its words.
            Fault::NotFound { call, answer } => Fault::Rejected { call, status: 404, answer },
            other => other,
        });
    }
    let answer: Value = reply.json()?;
    let text = |key: &str| answer[key].as_str().map(str::to_owned);
    let exit = answer["exit"].as_i64().and_then(|exit| i32::try_from(exit).ok());
    match (exit, text("stdout"), text("stderr")) {
        (Some(exit), Some(stdout), Some(stderr)) => Ok(Output { exit: Some(exit), stdout, stderr }),
        _ => Err(Fault::malformed(reply.call, "it is not what a program leaves behind")),
    }
}

/// A hypervisor with two domains.
#[derive(Default)]
struct Hypervisor {
    kind: Kind,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Kind {
    #[default]
    Plain,
    /// `domstate` prints this for `vm1` until it is destroyed.
    Says(&'static str),
    /// `vm1` is transient: it is gone when it is destroyed.
    Transient,
    /// `destroy` fails with this for the first time.
    Fails(&'static str),
    /// `vm2` is called like the number or the id of `vm1`.
    NamedLikeAnother,
}

const PREFIX: &str = "00000000-0000-0000-0000-000000000";

fn output(exit: i32, stdout: &str, stderr: &str) -> Answer {
    Answer::json(&json!({"exit": exit, "stdout": stdout, "stderr": stderr}))
}

impl Platform for Hypervisor {
    fn answer(&mut self, seen: &Seen, world: &mut World) -> Answer {
        let words: Vec<&str> = seen.path.trim_matches('/').split('/').collect();
        if words[0] == "list" {
            let name = |at: usize| match (self.kind, at) {
                (Kind::NamedLikeAnother, 1) => format!("{PREFIX}101"),
                _ => world.machines[at].name.to_owned(),
            };
            let all = (0..world.machines.len())
                .map(|at| format!("{PREFIX}{} {}\n", world.machines[at].id, name(at)));
            let off = world.machines.iter().filter(|machine| !machine.on);
            let off = off.map(|machine| format!("{PREFIX}{}\n", machine.id));
            return output(0, &(all.collect::<String>() + "\n" + &off.collect::<String>() + "\n"), "");
        }
        let id = words.last().and_then(|word| word.strip_prefix(PREFIX)).unwrap_or("none");
        let Some(at) = world.find(id) else { return output(1, "", "error: failed to get domain") };
        let gone = self.kind == Kind::Transient && at == 0 && !world.machines[0].on;
        if gone {
            // Its state is still read, so that the quirks of the world apply.
            let _ = world.show(at);
            return output(1, "", "error: failed to get domain 'vm1'");
        }
        match words[0] {
            "domstate" => match (self.kind, world.show(at)) {
                (Kind::Says(text), _) if at == 0 && world.machines[0].switched == 0 => output(0, text, ""),
                (_, Shown::On) => output(0, "running (booted)\n\n", ""),
                (_, Shown::Off) => output(0, "shut off (destroyed)\n\n", ""),
                (_, Shown::Odd) => output(0, "in shutdown (user)\n\n", ""),
            },
            "destroy" => match self.kind {
                Kind::Fails(text) if world.note.is_empty() => {
                    world.note = "failed".to_owned();
                    output(1, "", text)
                }
                _ if !world.machines[at].on => {
                    output(1, "", "error: Requested operation is not valid: domain is not running")
                }
                _ => {
                    world.switch(at, false);
                    output(0, "Domain 'vm1' destroyed\n\n", "")
                }
            },
            "start" if world.machines[at].on => output(1, "", "error: Domain is already active"),
            "start" => {
                world.switch(at, true);
                output(0, "Domain 'vm1' started\n\n", "")
            }
            _ => output(1, "", "error: unknown command"),
        }
    }
}

const BENCH: Bench = Bench {
    agent: &VIRSH,
    options: "username=root\ndebug_file=mock",
    address: IP_AND_PORT,
    ca: "",
    plug: Some("vm1"),
    wildcard: Some("vm*"),
    // libvirt forbids it.
    names_repeat: false,
    optional: &[],
    platform: || Box::new(Hypervisor::default()),
};

#[test]
fn no_fault_makes_it_lie() {
    matrix::run(&BENCH);
}

macro_rules! run {
    ($kind:expr, $action:expr, $plug:expr) => {{
        let platform = || Box::new(Hypervisor { kind: $kind }) as Box<dyn Platform>;
        Case::new(&Bench { platform, plug: $plug, ..BENCH }, $action, true).run()
    }};
    ($kind:expr, $action:expr) => {
        run!($kind, $action, BENCH.plug)
    };
}

#[test]
fn what_upstream_takes_for_off_is_not_off() {
    // Each of these is "Success: Already OFF" of the agent that is in use today (fence-drivers, 3.1).
    macro_rules! claims {
        ($($text:literal),*) => {
            [$(($text, run!(Kind::Says($text), Action::Status), run!(Kind::Says($text), Action::Off))),*]
        };
    }
    for (text, status, off) in claims!(
        "in shutdown (user)\n",
        "crashed (panicked)\n",
        "pmsuspended (unknown)\n",
        "ausgeschaltet\n",
        "sudo: a password is required\n",
        "\n",
        "no state\n"
    ) {
        assert_ne!(status.exit, Exit::Off, "{text}");
        assert_ne!(off.report.message.as_deref(), Some("Success: Already OFF"), "{text}");
        assert!(off.exit != Exit::Success || !off.world.machines[0].on, "{text}");
    }
}

#[test]
fn a_domain_that_went_to_another_host_is_not_off() {
    let outcome = run!(Kind::Says("shut off (migrated)\n"), Action::Status);
    assert!(outcome.failure.unwrap().hint().contains("another host"));
}

#[test]
fn a_transient_domain_is_off_when_it_is_gone_after_our_request() {
    let outcome = run!(Kind::Transient, Action::Off);
    assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
    // Without one, nobody knows.
    let platform = || Box::new(Hypervisor { kind: Kind::Transient }) as Box<dyn Platform>;
    let status = Case::new(&Bench { platform, ..BENCH }, Action::Status, false).run();
    assert_eq!(status.exit, Exit::Failure);
    let bench = Bench { platform, options: "username=root\ndebug_file=mock\nmissing_as_off=1", ..BENCH };
    assert_eq!(Case::new(&bench, Action::Status, false).run().exit, Exit::Off);
}

#[test]
fn a_qemu_that_cannot_be_killed_yet_is_killed_again() {
    const BUSY: &str = "error: Failed to terminate process 7 with SIGKILL: Device or resource busy";
    let outcome = run!(Kind::Fails(BUSY), Action::Off);
    assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
    let forbidden = run!(Kind::Fails("error: access denied: 'domain' denied"), Action::Off);
    assert_eq!(forbidden.failure.unwrap().row().number, 11);
}

#[test]
fn an_id_is_an_id_although_another_domain_is_called_so() {
    let outcome = run!(Kind::NamedLikeAnother, Action::Off, Some("00000000-0000-0000-0000-000000000101"));
    assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
    assert!(!outcome.world.machines[0].on && outcome.world.machines[1].on);
    // virsh would take it for the number of a running domain.
    assert_eq!(run!(Kind::Plain, Action::Off, Some("1")).exit, Exit::Failure);
}

#[test]
fn a_connection_that_may_only_read_is_refused_at_once() {
    let uri = "uri=qemu+unix:///system?socket=/run/libvirt/libvirt-sock-ro\n";
    let failure = driver(&LIBVIRT, uri).map(|_| ()).unwrap_err();
    assert!(failure.to_string().contains("read-only"), "{failure}");
    let missing = driver(&VIRSH, "ip=h\nusername=u\nidentity_file=/nonexistent\n").map(|_| ()).unwrap_err();
    assert!(missing.to_string().contains("identity_file"), "{missing}");
}
