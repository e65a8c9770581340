//! The operator's tool against both agents: what it says, what it dares, and what a connected cluster notices of it.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use picket_agent::controller::{Controller, Link};
use picket_agent::key::Key;
use picket_agent::wire::socket::Tuning;
use picket_agent::wire::tls::Role;
use picket_proto::notification::Notification;
use picket_proto::request::{CallOptions, Operation};
use picket_proto::resource::Definition;
use picket_tests::{Agent, Output, Peer, Program};
use tokio::runtime::Runtime;

const HERE: &str = "127.0.0.1";
const DUMMY: &str = "ocf:pacemaker:Dummy";

/// Runs picketctl on the agent's host.
fn picketctl(peer: &Peer, arguments: &[&str]) -> Output {
    let path = executable();
    peer.host.run(&[&[path.as_str()], arguments].concat()).unwrap()
}

fn executable() -> String {
    picket_tests::picketctl().unwrap()
}

/// What a run printed and how it ended, for `assert_eq` on the code and `contains` on the text.
fn told(output: &Output) -> (i32, String) {
    (output.status.code().unwrap_or(-1), format!("{}{}", output.stdout, output.stderr))
}

/// A cluster, as far as an agent can tell.
struct Cluster {
    runtime: Runtime,
    controller: Controller,
}

impl Cluster {
    fn join(peer: &Peer) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let stream = peer.connect().unwrap();
        stream.set_nonblocking(true).unwrap();
        let key = Key::read(&peer.key).unwrap();
        let controller = runtime.block_on(async {
            let stream = tokio::net::TcpStream::from_std(stream).unwrap();
            let limit = Duration::from_secs(10);
            let link = Link::open(stream, &key, Role::Controller, Tuning::Prompt, limit).await.unwrap();
            let mut controller = Controller::new(link);
            assert!(controller.hello("cluster-node-1", Some("1.1"), true).await.unwrap().rc.is_ok());
            controller
        });
        Self { runtime, controller }
    }

    fn register(&mut self, id: &str) {
        let (class, provider) = ("ocf".into(), Some("pacemaker".into()));
        let definition = Definition { id: id.into(), class, provider, agent: "Dummy".into() };
        let register = Operation::RscRegister(definition);
        self.runtime.block_on(self.controller.call(register, CallOptions::default())).unwrap();
        assert!(matches!(self.hear(5_000), Some(Notification::Generic { .. })));
    }

    fn hear(&mut self, ms: u64) -> Option<Notification> {
        self.runtime.block_on(self.controller.notification(Duration::from_millis(ms))).unwrap()
    }
}

#[test]
fn probing_tells_what_an_agent_does_and_no_cluster_notices() {
    for agent in [Agent::Original, Agent::Picket] {
        let peer = Peer::start(agent, &[]).unwrap();
        let mut cluster = Cluster::join(&peer);
        cluster.register("db");
        let (code, text) = told(&picketctl(&peer, &["probe", HERE]));
        assert_eq!(code, 0, "{text}");
        let expected: &[&str] = match agent {
            Agent::Original => &["reachable", "key        right", "no picket-agent", "--takeover"],
            Agent::Picket => &["picket-agent 0.", "cluster cluster-node-1", "db (ocf:pacemaker:Dummy)"],
        };
        for part in expected {
            assert!(text.contains(part), "{part:?} is not in:\n{text}");
        }
        assert_eq!(cluster.hear(400), None, "{} told the cluster", agent.name());
    }
}

#[test]
fn a_cluster_is_protected_and_takeover_overrides_that() {
    for agent in [Agent::Original, Agent::Picket] {
        let peer = Peer::start(agent, &[]).unwrap();
        let mut cluster = Cluster::join(&peer);
        let run = ["run", HERE, DUMMY, "monitor"];
        let (code, text) = told(&picketctl(&peer, &run));
        assert_eq!(code, 106, "{text}");
        assert!(text.contains("drops a node") && text.contains("--takeover"), "{text}");
        assert_eq!(text.contains("cluster-node-1"), agent == Agent::Picket, "{text}");
        assert_eq!(cluster.hear(300), None, "{} told the cluster", agent.name());
        let (code, text) = told(&picketctl(&peer, &[&run[..], &["--takeover"]].concat()));
        assert_eq!(code, 7, "{text}");
        assert_eq!(cluster.hear(1_000), Some(Notification::NewClient));
    }
}

#[test]
fn an_operation_is_run_and_its_return_code_is_the_exit_code() {
    for agent in [Agent::Original, Agent::Picket] {
        let peer = Peer::start(agent, &[]).unwrap();
        let run = |more: &[&str]| told(&picketctl(&peer, &[&["run", HERE][..], more].concat()));
        let (code, text) = run(&[DUMMY, "monitor"]);
        assert!(code == 7 && text.contains("picketctl monitor: not running (7), took"), "{code}: {text}");
        let (code, text) = run(&[DUMMY, "start", "--id", "d1", "-o", "op_sleep=0", "--keep"]);
        assert!(code == 0 && text.contains("d1 start: ok (0)"), "{code}: {text}");
        let (code, text) = run(&["lsb:none", "start", "--id", "d1"]);
        assert!(code == 106 && text.contains("d1 already") && text.contains(DUMMY), "{code}: {text}");
        let (code, text) = run(&[DUMMY, "monitor", "--id", "d1", "--timeout", "5s"]);
        assert!(code == 0, "{code}: {text}");
        let (code, text) = run(&["ocf:pacemaker:NoSuch", "start"]);
        assert!(code == 5 && text.contains("reason: NoSuch: No such file or directory"), "{code}: {text}");
        let (code, text) = run(&["ocf:Dummy", "start"]);
        assert!(code == 100 && text.contains("has no provider"), "{code}: {text}");
    }
}

#[test]
fn a_repeated_operation_ends_with_ctrl_c() {
    for agent in [Agent::Original, Agent::Picket] {
        let peer = Peer::start(agent, &[]).unwrap();
        let path = executable();
        let run = [&path, "run", HERE, DUMMY, "monitor", "--interval", "300ms"];
        let interrupted = [&["timeout", "--signal=INT", "--preserve-status", "2"][..], &run].concat();
        let (code, text) = told(&peer.host.run(&interrupted).unwrap());
        assert_eq!(code, 7, "{text}");
        assert!(text.matches("not running (7)").count() >= 2, "{text}");
        assert!(text.ends_with("picketctl monitor cancelled\n"), "{text}");
    }
}

#[test]
fn watching_shows_what_happens_and_no_cluster_notices() {
    let peer = Peer::start(Agent::Picket, &[]).unwrap();
    let mut cluster = Cluster::join(&peer);
    let path = executable();
    peer.host.start(&Program::new("watch", &[&path, "watch", HERE])).unwrap();
    let seen = || std::fs::read_to_string(peer.host.output("watch")).unwrap();
    let wait = |text: &str| {
        let found = || Ok(seen().contains(text).then_some(()));
        picket_tests::wait_until(text, Duration::from_secs(10), found)
            .unwrap_or_else(|e| panic!("{e}: {}", seen()));
    };
    wait("watching 127.0.0.1:3121");
    cluster.register("db");
    wait("request  register db: 0");
    assert_eq!(cluster.hear(300), None);

    let original = Peer::start(Agent::Original, &[]).unwrap();
    let (code, text) = told(&picketctl(&original, &["watch", HERE]));
    assert!(code == 106 && text.contains("no picket-agent"), "{code}: {text}");
}

#[test]
fn every_fault_has_its_words_and_its_code() {
    for agent in [Agent::Original, Agent::Picket] {
        let peer = Peer::start(agent, &[]).unwrap();
        let probe = |more: &[&str]| told(&picketctl(&peer, &[&["probe", HERE][..], more].concat()));
        let wrong = "/run/wrong-key";
        peer.host.write(wrong, "this is not the key").unwrap();
        let (code, text) = probe(&["--key", wrong]);
        assert!(code == 103 && text.contains(wrong) && !text.contains("this is"), "{code}: {text}");
        peer.host.write("/run/short-key", "short").unwrap();
        let (code, text) = probe(&["--key", "/run/short-key"]);
        assert!(code == 101 && text.contains("has only 5 bytes"), "{code}: {text}");
        let (code, text) = probe(&["--key", "/no/such/key"]);
        assert!(code == 101 && text.contains("/no/such/key"), "{code}: {text}");
    }
    let peer = Peer::start(Agent::Picket, &[]).unwrap();
    let (code, text) = told(&picketctl(&peer, &["probe", "127.0.0.1:9"]));
    assert!(code == 102 && text.contains("refused"), "{code}: {text}");
    let silent = peer.host.in_network(|| TcpListener::bind("127.0.0.1:8001")).unwrap().unwrap();
    let (code, text) = told(&picketctl(&peer, &["probe", "127.0.0.1:8001", "--wait", "300ms"]));
    assert!(code == 104 && text.contains("not finished"), "{code}: {text}");
    drop(silent);
    let web = peer.host.in_network(|| TcpListener::bind("127.0.0.1:8002")).unwrap().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = web.accept().unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        stream.read_to_end(&mut Vec::new()).ok();
    });
    let (code, text) = told(&picketctl(&peer, &["probe", "127.0.0.1:8002"]));
    assert!(code == 104 && text.contains("\"HTTP/\""), "{code}: {text}");
}
