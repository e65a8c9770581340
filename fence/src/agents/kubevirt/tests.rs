use serde_json::{Value, json};

use super::AGENT;
use crate::core::action::Action;
use crate::core::failure::Exit;
use crate::testing::matrix::{self, Case};
use crate::testing::server::Server;
use crate::testing::tls::{Flaw, TempFile, mutual};
use crate::testing::{Answer, Bench, Platform, Seen, Shown, World, driver};

/// A cluster with two machines.
#[derive(Default)]
struct Cluster {
    kind: Kind,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Kind {
    #[default]
    Plain,
    /// The instance of `vm1` has this phase until it is stopped, its pod's container has ended or not, and its node is
    /// in this state.
    Ended(&'static str, bool, Node),
    /// The instance of `vm1` is gone, and its pod is not.
    PodIsLeft,
    /// The account may not do this.
    Lacks(&'static str),
}

#[derive(Clone, Copy, PartialEq)]
enum Node {
    Ready,
    NotReady,
    OutOfService,
    Gone,
    Forbidden,
}

fn status(code: u16, message: &str) -> Answer {
    Answer::new(
        code,
        json!({"kind": "Status", "status": "Failure", "message": message, "code": code}).to_string(),
    )
}

fn items(items: &[Value]) -> Answer {
    Answer::json(&json!({"kind": "List", "metadata": {}, "items": items}))
}

impl Cluster {
    fn instance(&self, at: usize, shown: Shown, world: &World) -> Option<Value> {
        let machine = &world.machines[at];
        let phase = match (self.kind, shown) {
            (Kind::Ended(phase, ..), _) if at == 0 && machine.switched == 0 => phase,
            (Kind::PodIsLeft, _) if at == 0 => return None,
            (_, Shown::On) => "Running",
            (_, Shown::Off) => return None,
            (_, Shown::Odd) => "Unknown",
        };
        Some(json!({"metadata": {"name": machine.name}, "status": {"phase": phase, "nodeName": "n1"}}))
    }

    fn pods(&self, query: &str, world: &World) -> Answer {
        let wanted = query.rsplit("vm.kubevirt.io%2Fname%3D").next().filter(|_| query.contains("name%3D"));
        let is_old = query.contains("kubevirt.io%2Fdomain");
        let found = world
            .machines
            .iter()
            .enumerate()
            .filter(|(_, machine)| !is_old && wanted.is_none_or(|name| machine.name == name));
        let found = found.filter_map(|(at, machine)| {
            let untouched = at == 0 && machine.switched == 0;
            let (phase, state) = match self.kind {
                Kind::Ended(phase, true, _) if untouched => (phase, "terminated"),
                Kind::Ended(..) | Kind::PodIsLeft if untouched => ("Running", "running"),
                _ if machine.on => ("Running", "running"),
                _ => return None,
            };
            let name = format!("virt-launcher-{}-x", machine.name);
            let labels = json!({"kubevirt.io": "virt-launcher", "vm.kubevirt.io/name": machine.name});
            let containers = json!([{"name": "compute", "state": {state: {}}}]);
            Some(json!({"metadata": {"name": name, "labels": labels}, "spec": {"nodeName": "n1"},
                "status": {"phase": phase, "containerStatuses": containers}}))
        });
        items(&found.collect::<Vec<_>>())
    }

    fn node(&self) -> Answer {
        let Kind::Ended(_, _, node) = self.kind else { return status(404, "no node") };
        let (ready, taints) = match node {
            Node::Ready => ("True", json!([])),
            Node::NotReady => {
                ("Unknown", json!([{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}]))
            }
            Node::OutOfService => ("Unknown", json!([{"key": "node.kubernetes.io/out-of-service"}])),
            Node::Gone => return status(404, "nodes \"n1\" not found"),
            Node::Forbidden => return status(403, "nodes is forbidden"),
        };
        Answer::json(&json!({"spec": {"taints": taints}, "status": {"conditions": [
            {"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": ready}]}}))
    }

    fn review(&self, body: &str) -> Answer {
        let review: Value = serde_json::from_str(body).unwrap();
        let subresource = review["spec"]["resourceAttributes"]["subresource"].as_str().unwrap_or_default();
        let allowed = self.kind != Kind::Lacks("stop") || subresource != "stop";
        Answer { status: 201, ..Answer::json(&json!({"status": {"allowed": allowed}})) }
    }
}

impl Platform for Cluster {
    fn answer(&mut self, seen: &Seen, world: &mut World) -> Answer {
        if seen.header("authorization") != Some("Bearer t") {
            return status(401, "Unauthorized");
        }
        let segments: Vec<&str> = seen.path.trim_matches('/').split('/').collect();
        match segments.as_slice() {
            ["apis", "authorization.k8s.io", "v1", "selfsubjectaccessreviews"] => self.review(&seen.body),
            ["api", "v1", "nodes", "n1"] => self.node(),
            ["api", "v1", "namespaces", "ns", "pods"] => self.pods(&seen.query, world),
            ["apis", "kubevirt.io", "v1", "namespaces", "ns", "virtualmachines"] => {
                let vms = world.machines.iter().map(|machine| json!({"metadata": {"name": machine.name}}));
                items(&vms.collect::<Vec<_>>())
            }
            ["apis", "kubevirt.io", "v1", "namespaces", "ns", "virtualmachines", name] => {
                match world.machines.iter().any(|machine| machine.name == *name) {
                    true => {
                        Answer::json(&json!({"metadata": {"name": name}, "status": {"printableStatus": "?"}}))
                    }
                    false => status(404, "virtualmachines not found"),
                }
            }
            ["apis", "kubevirt.io", "v1", "namespaces", "ns", "virtualmachineinstances"] => {
                let name = seen.query.strip_prefix("fieldSelector=metadata.name%3D");
                let found: Vec<Value> = match name {
                    Some(name) => {
                        let Some(at) = world.machines.iter().position(|machine| machine.name == name) else {
                            return items(&[]);
                        };
                        let shown = world.show(at);
                        self.instance(at, shown, world).into_iter().collect()
                    }
                    None => (0..2)
                        .filter_map(|at| {
                            let shown = if world.machines[at].on { Shown::On } else { Shown::Off };
                            self.instance(at, shown, world)
                        })
                        .collect(),
                };
                items(&found)
            }
            ["apis", "subresources.kubevirt.io", "v1", "namespaces", "ns", "virtualmachines", name, what] => {
                let Some(at) = world.machines.iter().position(|machine| machine.name == *name) else {
                    return status(404, "not found");
                };
                let on = *what == "start";
                if !on && seen.body != r#"{"gracePeriod":0}"# {
                    return status(400, "graceful");
                }
                if world.machines[at].on == on && world.machines[at].switched > 0 {
                    return status(409, "VM is already in that state");
                }
                world.switch(at, on);
                Answer::new(202, "")
            }
            _ => status(404, "404 page not found"),
        }
    }
}

const BENCH: Bench = Bench {
    agent: &AGENT,
    options: "namespace=ns\ntoken=t",
    address: |port, tls| format!("server={}://127.0.0.1:{port}\n", if tls { "https" } else { "http" }),
    ca: "ca_file",
    plug: Some("vm1"),
    wildcard: Some("vm*"),
    // Kubernetes forbids it within a namespace.
    names_repeat: false,
    optional: &[],
    platform: || Box::new(Cluster::default()),
};

#[test]
fn no_fault_makes_it_lie() {
    matrix::run(&BENCH);
}

macro_rules! run {
    ($kind:expr, $action:expr, $plug:expr) => {{
        let platform = || Box::new(Cluster { kind: $kind }) as Box<dyn Platform>;
        Case::new(&Bench { platform, plug: $plug, ..BENCH }, $action, true).run()
    }};
    ($kind:expr, $action:expr) => {
        run!($kind, $action, BENCH.plug)
    };
}

#[test]
fn a_phase_is_off_only_by_the_word_of_a_ready_node() {
    assert_eq!(run!(Kind::Ended("Failed", true, Node::Ready), Action::Status).exit, Exit::Off);
    assert_eq!(run!(Kind::Ended("Succeeded", true, Node::Ready), Action::Status).exit, Exit::Off);
    assert_eq!(run!(Kind::Ended("Failed", true, Node::OutOfService), Action::Status).exit, Exit::Off);
    assert_eq!(run!(Kind::Ended("Failed", true, Node::Gone), Action::Status).exit, Exit::Off);
    assert_eq!(run!(Kind::Ended("Failed", false, Node::Ready), Action::Status).exit, Exit::Failure);
    assert_eq!(run!(Kind::Ended("Failed", true, Node::Forbidden), Action::Status).exit, Exit::Failure);
    assert_eq!(run!(Kind::Ended("Scheduled", true, Node::Ready), Action::Status).exit, Exit::Failure);
    assert_eq!(run!(Kind::Ended("", true, Node::Ready), Action::Status).exit, Exit::Failure);
    let lost = run!(Kind::Ended("Failed", true, Node::NotReady), Action::Status).failure.unwrap();
    assert!(lost.hint().contains("node n1"), "{lost}: {}", lost.hint());
}

#[test]
fn a_failed_instance_can_be_fenced() {
    // Upstream cannot (fence-drivers, 8.1).
    let outcome = run!(Kind::Ended("Failed", false, Node::Ready), Action::Off);
    assert_eq!(outcome.exit, Exit::Success, "{:?}", outcome.failure);
}

#[test]
fn a_pod_that_is_left_is_not_off() {
    assert_eq!(run!(Kind::PodIsLeft, Action::Status).exit, Exit::Failure);
    let list = run!(Kind::PodIsLeft, Action::ListStatus, None).report.list.unwrap();
    assert_eq!(list[0].power, "UNKNOWN");
}

#[test]
fn monitor_tells_that_the_account_may_not_stop() {
    for plug in [Some("vm1"), None] {
        let failure = run!(Kind::Lacks("stop"), Action::Monitor, plug).failure.unwrap();
        assert!(
            failure.row().number == 11 && failure.to_string().contains("virtualmachines/stop"),
            "{failure}"
        );
    }
}

#[test]
fn a_kubeconfig_is_all_it_needs() {
    let text = "current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\nclusters: [{name: c, \
                cluster: {server: 'http://127.0.0.1:1'}}]\nusers: [{name: u, user: {token: t}}]\n";
    let file = TempFile::new("kubeconfig", text);
    assert!(driver(&AGENT, &format!("kubeconfig={}\n", file.0.display())).is_ok());
    let unknown = driver(&AGENT, &format!("kubeconfig={}\ncontext=b\n", file.0.display())).map(|_| ());
    assert!(unknown.unwrap_err().to_string().contains("no context 'b'"));
    assert!(driver(&AGENT, "kubeconfig=/nonexistent\n").is_err());
    assert!(driver(&AGENT, "").is_err(), "there is no cluster to be found");
}

#[tokio::test]
async fn a_program_of_the_kubeconfig_gives_the_token_at_each_login() {
    let kubeconfig = |script: &str| {
        format!(
            "current-context: a\ncontexts: [{{name: a, context: {{cluster: c, user: u}}}}]\n\
             clusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:1'}}}}]\nusers:\n- name: u\n  user:\n    exec:\n      \
             apiVersion: client.authentication.k8s.io/v1\n      command: /bin/sh\n      args: ['-c', '{script}']\n      \
             env: [{{name: T, value: t}}]\n"
        )
    };
    let good = r#"echo "{\"status\": {\"token\": \"$T\"}}""#;
    for (script, expected) in
        [(good, None), ("echo no >&2; exit 1", Some("no")), ("echo x", Some("no ExecCredential"))]
    {
        let file = TempFile::new("exec", &kubeconfig(script));
        let mut agent = driver(&AGENT, &format!("kubeconfig={}\n", file.0.display())).unwrap();
        match (agent.login().await, expected) {
            (Ok(()), None) => {}
            (Err(fault), Some(words)) => assert!(fault.to_string().contains(words), "{fault}"),
            (result, _) => panic!("{script}: {result:?}"),
        }
    }
}

#[tokio::test]
async fn a_certificate_from_the_program_and_the_servers_own_name_are_used() {
    let identity = mutual(Flaw::WrongName);
    let server =
        Server::start(World::new(true, None), (BENCH.platform)(), None, Some(identity.acceptor)).await;
    let ca = TempFile::new("exec-ca", &identity.ca_pem);
    let (cert, key) = &identity.client;
    let printed = json!({"status": {"token": "t", "clientCertificateData": cert, "clientKeyData": key}});
    let given = TempFile::new("exec-credential", &printed.to_string());
    let kubeconfig = |name: &str, file: &TempFile| {
        json!({
            "current-context": "a", "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u", "namespace": "ns"}}],
            "clusters": [{"name": "c", "cluster": {
                "server": format!("https://127.0.0.1:{}", server.port), "certificate-authority": ca.0, "tls-server-name": name,
            }}],
            "users": [{"name": "u", "user": {"exec": {
                "apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/cat", "args": [file.0],
            }}}],
        })
        .to_string()
    };
    let token = TempFile::new("exec-token", &json!({"status": {"token": "t"}}).to_string());
    for (name, file, good) in [
        ("elsewhere.example", &given, true),
        ("another.example", &given, false),
        ("elsewhere.example", &token, false),
    ] {
        let config = TempFile::new("exec-kubeconfig", &kubeconfig(name, file));
        let mut agent = driver(&AGENT, &format!("kubeconfig={}\n", config.0.display())).unwrap();
        agent.login().await.unwrap();
        let found = agent.resolve("vm1").await;
        assert_eq!(found.is_ok(), good, "{name}: {found:?}");
    }
}
