//! `fence_kubevirt`: virtual machines of KubeVirt, OpenShift Virtualization and Harvester
//! (<https://kubevirt.io/api-reference/>).
//!
//! The phase of an instance is no proof: it becomes `Failed` when somebody deletes the pod of a node that is out of
//! reach, where QEMU goes on. So a machine is off when its instance and its pods are gone, or when every container of
//! theirs has ended by the word of a node that is ready (fence-drivers, 8.2). Pods are never deleted from here.

mod api;
mod config;
#[cfg(test)]
mod tests;

use std::time::Duration;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::json;

use self::api::{Instance, Items, NAME_LABELS, Node, Pod, Review, Vm};
use self::config::{Cluster, Exec};
use crate::core::agent::{Agent, Can, List, Needs};
use crate::core::child;
use crate::core::driver::{Driver, Listed, Power, Reading, Target};
use crate::core::failure::Failure;
use crate::core::fault::Fault;
use crate::core::option::Opt;
use crate::core::settings::Settings;
use crate::core::standard as opt;
use crate::http::{Client, Config, Files, Inline, encode};

const NAMESPACE: Opt = Opt::text(
    "namespace",
    "namespace",
    "[namespace]",
    "Namespace of the machine (default: that of the context)",
)
.order(2);
const KUBECONFIG: Opt = Opt::text(
    "kubeconfig",
    "kubeconfig",
    "[kubeconfig]",
    "Path of a kubeconfig (default: KUBECONFIG, the pod's own account, ~/.kube/config)",
)
.order(4);
const APIVERSION: Opt = Opt::text("apiversion", "apiversion", "[apiversion]", "Version of KubeVirt's API")
    .default("kubevirt.io/v1")
    .order(5);
const CONTEXT: Opt =
    Opt::text("context", "context", "[name]", "Context of the kubeconfig (default: the current one)")
        .order(215);
const SERVER: Opt =
    Opt::text("server", "server", "[url]", "URL of the API server, in place of a kubeconfig").order(215);
const TOKEN: Opt = Opt::text("token", "token", "[token]", "Token of a service account, together with server")
    .secret()
    .order(215);

/// The agent.
pub const AGENT: Agent = Agent {
    name: "fence_kubevirt",
    aliases: &[],
    title: "Power fencing through KubeVirt",
    about: "Stops and starts virtual machines of KubeVirt (OpenShift Virtualization and Harvester, too), and reports \
            success for an off request only after the machine's instance and pods are gone, or have ended by the word of a \
            node that is ready.\n\n\
            The account needs get and list of virtualmachines and virtualmachineinstances, update of \
            virtualmachines/start and virtualmachines/stop in subresources.kubevirt.io, list of pods, and get of nodes.",
    url: "https://kubevirt.io",
    options: &[
        opt::PLUGS,
        &[
            opt::PLUG.about("Name of the virtual machine"),
            opt::SSL_INSECURE,
            opt::POWER_TIMEOUT.default("40"),
            NAMESPACE,
            KUBECONFIG,
            APIVERSION,
            CONTEXT,
            SERVER,
            TOKEN,
            opt::CA_FILE,
            opt::CLIENT_CERT,
            opt::CLIENT_KEY,
            opt::TLS_PIN,
            opt::PROXY,
            opt::CONNECT_TIMEOUT,
            opt::REQUEST_TIMEOUT,
        ],
    ],
    needs: Needs { address: false, username: false, password: false, plug: true },
    can: Can { list: List::Fields, cycle: false, diag: false, null: false },
    driver: |settings| Ok(Box::new(KubeVirt::new(settings)?)),
};

struct KubeVirt {
    http: Client,
    /// Path of the server's URL, empty for most.
    base: String,
    namespace: String,
    /// Group and version.
    version: String,
    /// Gives a token or a certificate at each login.
    program: Option<Program>,
}

/// A program of the kubeconfig, and what a connection with its certificate needs.
struct Program {
    exec: Exec,
    settings: Settings,
    server: String,
    tls: Inline,
}

/// For the program that gives a token (fence-drivers, 8.2).
const EXEC_LIMIT: Duration = Duration::from_secs(10);

impl KubeVirt {
    fn new(settings: &Settings) -> Result<Self, Failure> {
        let version = settings.need(&APIVERSION)?.to_owned();
        if !version.starts_with("kubevirt.io/") {
            return Err(Settings::wrong(&APIVERSION, "must be kubevirt.io/ and a version"));
        }
        let no_url = || Settings::wrong(&SERVER, "must be an http:// or https:// URL");
        if let Some(server) = settings.text(&SERVER) {
            let (config, base) = Config::url(settings, server, &Files::default())?.ok_or_else(no_url)?;
            let mut http = Client::new(config).explain(api::explain);
            if let Some(token) = settings.secret(&TOKEN) {
                http.set_bearer(&token);
            }
            let namespace = settings.text(&NAMESPACE).unwrap_or("default").to_owned();
            return Ok(Self { http, base, namespace, version, program: None });
        }
        let Cluster { server, namespace, token, basic, tls, insecure, proxy, exec } = config::find(settings)?;
        let insecure = insecure.then_some((opt::SSL_INSECURE, "1"));
        let proxy = proxy.as_deref().map(|url| (opt::PROXY, url));
        let settings = settings.filled(&insecure.into_iter().chain(proxy).collect::<Vec<_>>())?;
        let (config, base) = Config::url_inline(&settings, &server, &tls)?.ok_or_else(no_url)?;
        let mut http = Client::new(config).explain(api::explain);
        match (token, basic) {
            (Some(token), _) => http.set_bearer(&token),
            (None, Some((user, password))) => http.set_basic(&user, &password),
            // By the client certificate.
            (None, None) => {}
        }
        let program = exec.map(|exec| Program { exec, settings, server, tls });
        Ok(Self { http, base, namespace, version, program })
    }

    /// Path of machines, instances and the like.
    fn kubevirt(&self, what: &str) -> String {
        format!("{}/apis/{}/namespaces/{}/{what}", self.base, self.version, encode(&self.namespace))
    }

    async fn items<T: DeserializeOwned>(&mut self, path: String) -> Result<Vec<T>, Fault> {
        Ok(self.http.get(path).json::<Items<T>>().await?.items)
    }

    async fn pods(&mut self, selector: &str) -> Result<Vec<Pod>, Fault> {
        let namespace = encode(&self.namespace);
        let path =
            format!("{}/api/v1/namespaces/{namespace}/pods?labelSelector={}", self.base, encode(selector));
        self.items(path).await
    }

    async fn pods_of(&mut self, name: &str) -> Result<Vec<Pod>, Fault> {
        let mut all = Vec::new();
        for label in NAME_LABELS {
            let found = self.pods(&format!("kubevirt.io=virt-launcher,{label}={name}")).await?;
            all.extend(found.into_iter().filter(|pod| pod.belongs_to(name)));
        }
        Ok(all)
    }

    /// Whether a node can be believed. One that is gone has nothing left to run.
    async fn is_believed(&mut self, node: &str) -> Result<bool, Fault> {
        let path = format!("{}/api/v1/nodes/{}", self.base, encode(node));
        match self.http.get(path).json::<Node>().await {
            Ok(node) => Ok(node.is_believed()),
            Err(Fault::NotFound { .. }) => Ok(true),
            Err(Fault::Forbidden { call, answer }) => Err(Fault::Forbidden {
                call,
                answer: format!("{answer} (needed to know whether the node is ready)"),
            }),
            Err(fault) => Err(fault),
        }
    }

    /// An instance that ended: only a node which is ready knows.
    async fn ended(&mut self, name: &str, instance: &Instance) -> Result<Reading, Fault> {
        let phase = instance.status.phase.clone();
        let pods = self.pods_of(name).await?;
        let nodes = pods.iter().filter_map(Pod::node).chain(instance.status.node.as_deref());
        let mut nodes: Vec<String> = nodes.map(str::to_owned).collect();
        nodes.sort();
        nodes.dedup();
        for node in nodes {
            if !self.is_believed(&node).await? {
                return Ok(Reading::unknown(format!("{phase}, on a node that is not ready"))
                    .hint(format!("node {node} does not answer its cluster: fence the node first")));
            }
        }
        match pods.iter().all(Pod::has_ended) {
            true => Ok(Reading::off(phase)),
            false => Ok(Reading::unknown(format!("{phase}, with a pod that has not ended"))),
        }
    }

    async fn subresource(
        &mut self,
        name: &str,
        what: &str,
        body: &serde_json::Value,
        again: bool,
    ) -> Result<(), Fault> {
        let version = self.version.rsplit('/').next().unwrap_or("v1");
        let path = format!(
            "{}/apis/subresources.kubevirt.io/{version}/namespaces/{}/virtualmachines/{}/{what}",
            self.base,
            encode(&self.namespace),
            encode(name)
        );
        let mut request = self.http.put(path).json_body(body);
        if again {
            request = request.repeatable();
        }
        request.send().await.map(|_| ())
    }

    async fn may(
        &mut self,
        group: &str,
        resource: &str,
        subresource: &str,
        verb: &str,
        name: &str,
    ) -> Result<(), Fault> {
        let attributes = json!({"namespace": self.namespace, "group": group, "resource": resource,
            "subresource": subresource, "verb": verb, "name": name});
        let body = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes}});
        let path = format!("{}/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", self.base);
        // It changes nothing, so it may be sent twice.
        let review: Review = self.http.post(path.clone()).repeatable().json_body(&body).json().await?;
        if review.status.allowed {
            return Ok(());
        }
        let what = format!("{verb} of {resource}/{subresource}").trim_end_matches('/').to_owned();
        Err(Fault::Forbidden {
            call: path,
            answer: format!("the account lacks {what} in {}", self.namespace),
        })
    }
}

#[async_trait(?Send)]
impl Driver for KubeVirt {
    async fn login(&mut self) -> Result<(), Fault> {
        let Some(Program { exec, settings, server, tls }) = &self.program else { return Ok(()) };
        let call = "the program of the kubeconfig";
        let output = child::run(exec.command(), settings.deadline.within(EXEC_LIMIT), call).await?;
        let denied = |answer: String| Fault::Denied { call: call.to_owned(), answer };
        if output.exit != Some(0) {
            return Err(denied(output.stderr.lines().next().unwrap_or("it failed").to_owned()));
        }
        let given = Exec::credential(&output.stdout).map_err(|error| denied(error.to_owned()))?;
        if let Some(token) = &given.token {
            self.http.set_bearer(token);
        }
        if let Some((cert, key)) = given.certificate() {
            let tls = Inline { cert: Some(cert), key: Some(key), ..tls.clone() };
            let config = Config::url_inline(settings, server, &tls);
            let config = config.map_err(|failure| denied(failure.to_string()))?;
            self.http.set_config(config.expect("the driver was made from this URL").0);
        }
        Ok(())
    }

    async fn resolve(&mut self, plug: &str) -> Result<Target, Fault> {
        let path = self.kubevirt(&format!("virtualmachines/{}", encode(plug)));
        let vm: Vm = self.http.get(path.clone()).json().await?;
        if vm.metadata.name != plug {
            return Err(Fault::malformed(path, format!("it is about machine {}", vm.metadata.name)));
        }
        Ok(Target { id: plug.to_owned(), name: plug.to_owned(), host: None })
    }

    async fn state(&mut self, target: &Target) -> Result<Reading, Fault> {
        // A list, so that "none" is an answer of its own and not a status which a proxy may give as well.
        let field = encode(&format!("metadata.name={}", target.id));
        let path = self.kubevirt(&format!("virtualmachineinstances?fieldSelector={field}"));
        let found: Vec<Instance> = self.items(path).await?;
        let Some(instance) = found.into_iter().find(|instance| instance.metadata.name == target.id) else {
            return Ok(match self.pods_of(&target.id).await?.iter().find(|pod| pod.is_alive()) {
                None => Reading::off("no instance and no pod"),
                Some(pod) => Reading::unknown(format!("no instance, but pod {}", pod.metadata.name)),
            });
        };
        match instance.status.phase.as_str() {
            "Running" => Ok(Reading::on("Running")),
            "Failed" | "Succeeded" => self.ended(&target.id, &instance).await,
            phase => Ok(Reading::unknown(if phase.is_empty() { "no phase" } else { phase })),
        }
    }

    async fn off(&mut self, target: &Target) -> Result<(), Fault> {
        self.subresource(&target.id, "stop", &json!({"gracePeriod": 0}), true).await
    }

    async fn on(&mut self, target: &Target) -> Result<(), Fault> {
        self.subresource(&target.id, "start", &json!({}), false).await
    }

    async fn list(&mut self) -> Result<Vec<Listed>, Fault> {
        let vms: Vec<Vm> = self.items(self.kubevirt("virtualmachines")).await?;
        let instances: Vec<Instance> = self.items(self.kubevirt("virtualmachineinstances")).await?;
        let pods = self.pods("kubevirt.io=virt-launcher").await?;
        let listed = vms.into_iter().map(|vm| {
            let name = vm.metadata.name;
            let instance = instances.iter().find(|instance| instance.metadata.name == name);
            let alive = pods.iter().any(|pod| pod.belongs_to(&name) && pod.is_alive());
            let power = match instance.map(|instance| instance.status.phase.as_str()) {
                Some("Running") => Power::On,
                None if !alive => Power::Off,
                _ => Power::Unknown,
            };
            Listed { plug: name.clone(), alias: name, power }
        });
        Ok(listed.collect())
    }

    async fn preflight(&mut self, target: Option<&Target>) -> Result<(), Fault> {
        let name = target.map_or("", |target| target.id.as_str());
        for what in ["stop", "start"] {
            self.may("subresources.kubevirt.io", "virtualmachines", what, "update", name).await?;
        }
        self.may("", "pods", "", "list", "").await
    }
}
