//! X.509: who gets in, and what each refusal says. The peers are our own controller, `picketctl`, and two strangers:
//! `gnutls-cli` and `openssl s_client`.

use std::fs;

use anyhow::{Context, Result, ensure};
use picket_agent::wire::x509::{self, Files};

use super::bench::{Bench, PATIENCE};
use super::client::Client;
use super::stranger::{gnutls_with, openssl};
use crate::agent::{Agent, picketctl};
use crate::host::Host;
use crate::peer::Peer;
use crate::pki::{Ca, Identity, Kind};
use crate::program::Output;
use crate::report::{Check, Finding, Report};
use crate::wait::wait_until;

/// Where the files are on the host.
const FOLDER: &str = "/etc/pacemaker/pki";

/// The agent's own files.
const ENVIRONMENT: [(&str, &str); 4] = [
    ("PCMK_ca_file", "/etc/pacemaker/pki/ca.pem"),
    ("PCMK_cert_file", "/etc/pacemaker/pki/agent.pem"),
    ("PCMK_key_file", "/etc/pacemaker/pki/agent.key"),
    ("PCMK_crl_file", "/etc/pacemaker/pki/crl.pem"),
];

/// A certificate of the other CA.
const FOREIGN: &str = "foreign";

/// Who is refused, and the agent's words for it.
const REFUSED: [(&str, &str); 4] = [
    (FOREIGN, "client's certificate is not from a CA that is trusted here"),
    ("expired", "client's certificate has expired"),
    ("early", "client's certificate is not valid yet"),
    ("revoked", "client's certificate is revoked"),
];

const NONE: &str = "client has no certificate";

/// An agent with certificates, and clients of every kind on its host.
struct Scene {
    bench: Bench,
    peer: Peer,
    ca: Ca,
}

/// Everything; `tell` gets each check when it is done. A few seconds.
pub fn all(tell: &mut dyn FnMut(&Check)) -> Report {
    type Measure = fn(&Scene) -> Result<Finding>;
    let checks: [(&'static str, Measure); 6] = [
        ("the right certificate: our controller, picketctl, gnutls-cli, openssl", right),
        ("wrong CA, expired, not yet valid, revoked, none: refused, each in its own words", refused),
        ("a client with the cluster's key is refused", with_key),
        ("certificate and key that do not match: told at the start", mismatch),
        ("the agent's own certificate is checked by picketctl", agents_own),
        ("changed files are used without a restart, sessions go on", changed),
    ];
    let mut report = Report::default();
    let scene = match Scene::new() {
        Ok(scene) => scene,
        Err(error) => {
            report.step("an agent with certificates starts", || Err(error));
            return report;
        }
    };
    for (name, check) in checks {
        report.step(name, || check(&scene));
        report.checks.last().into_iter().for_each(&mut *tell);
    }
    report
}

impl Scene {
    fn new() -> Result<Self> {
        let bench = Bench::new(Agent::Picket, false);
        let (network, host) = bench.host()?;
        let (ca, other) = (Ca::new()?, Ca::new()?);
        // Its end is near enough for a warning.
        put(&host, "agent", &ca.issue_for(10)?)?;
        put(&host, "right", &ca.issue(Kind::Good)?)?;
        put(&host, "expired", &ca.issue(Kind::Expired)?)?;
        put(&host, "early", &ca.issue(Kind::Early)?)?;
        put(&host, "revoked", &ca.issue(Kind::Revoked)?)?;
        put(&host, FOREIGN, &other.issue(Kind::Good)?)?;
        trust(&host, &ca)?;
        host.write(&format!("{FOLDER}/other.pem"), &other.cert)?;
        let peer = bench.launch_on(&network, &host, &[], &ENVIRONMENT, 3121)?;
        Ok(Self { bench, peer, ca })
    }

    /// A controller with the certificate of that name that has registered.
    fn join(&self, name: &str) -> Result<Client> {
        let identity = x509::Identity::open(&self.files(name))?;
        let mut client = Client::over(self.peer.connect()?, &identity)?;
        client.hello("controller", Some("1.1"), None)?.is("lrmd_rc", 0)?;
        Ok(client)
    }

    /// Files of a client, readable from the machine.
    fn files(&self, name: &str) -> Files {
        let file = |name: String| self.peer.host.disk(&format!("{FOLDER}/{name}"));
        let (cert, key) = (file(format!("{name}.pem")), file(format!("{name}.key")));
        Files { ca: file("ca.pem".into()), cert, key, crl: None }
    }

    fn picketctl(&self, ca: &str, name: &str) -> Result<Output> {
        let [cert, key] = paths(name);
        let ca = format!("{FOLDER}/{ca}.pem");
        let arguments = ["probe", "127.0.0.1", "--ca", &ca, "--cert", &cert, "--cert-key", &key];
        self.peer.host.run_within(PATIENCE, &[&[picketctl()?.as_str()], &arguments[..]].concat())
    }

    /// What the agent logs from now on has to contain some words, while `act` is done.
    fn logs<T>(&self, words: &str, act: impl FnOnce() -> Result<T>) -> Result<T> {
        let log = || fs::read_to_string(&self.peer.log).context("read the agent's log");
        let before = log()?.len();
        let done = act()?;
        wait_until(&format!("the agent logs '{words}'"), PATIENCE, || {
            let log = log()?;
            let new = log.get(before..).unwrap_or_default();
            ensure!(new.contains(words), "it logs {new}");
            Ok(Some(()))
        })?;
        Ok(done)
    }
}

fn paths(name: &str) -> [String; 2] {
    [format!("{FOLDER}/{name}.pem"), format!("{FOLDER}/{name}.key")]
}

fn put(host: &Host, name: &str, identity: &Identity) -> Result<()> {
    let [cert, key] = paths(name);
    host.write(&cert, &identity.cert)?;
    host.write(&key, &identity.key)
}

fn trust(host: &Host, ca: &Ca) -> Result<()> {
    host.write(&format!("{FOLDER}/ca.pem"), &ca.cert)?;
    host.write(&format!("{FOLDER}/crl.pem"), &ca.revocations()?)
}

fn said(output: &Output) -> String {
    format!("{}{}", output.stdout, output.stderr)
}

fn right(scene: &Scene) -> Result<Finding> {
    scene.join("right")?.poke()?;
    let probe = scene.picketctl("ca", "right")?;
    ensure!(probe.status.success(), "picketctl: {}", said(&probe));
    let [cert, key] = paths("right");
    let gnutls = gnutls_with(&scene.peer, &["--x509certfile", &cert, "--x509keyfile", &key])?;
    ensure!(gnutls.done, "gnutls-cli: {}", gnutls.words);
    for version in ["TLSv1.3", "TLSv1.2"] {
        let only = if version == "TLSv1.3" { "-tls1_3" } else { "-tls1_2" };
        let openssl = openssl(&scene.peer, version, &["-cert", &cert, "-key", &key, only])?;
        ensure!(openssl.done, "openssl s_client {only}: {}", openssl.words);
    }
    let log = fs::read_to_string(&scene.peer.log)?;
    let warning = log.lines().find(|line| line.contains("expires on")).context("no warning of the end")?;
    let days = warning.rsplit(", ").next().unwrap_or_default();
    Ok(Finding::good(format!("{}, TLS 1.2; the agent warns that its own ends {days}", gnutls.words)))
}

fn refused(scene: &Scene) -> Result<Finding> {
    let mut told = Vec::new();
    for (name, words) in REFUSED {
        let [cert, key] = paths(name);
        let came_in = scene.logs(words, || Ok(scene.join(name).is_ok()))?;
        ensure!(!came_in, "our controller came in with the certificate '{name}'");
        let probe = scene.logs(words, || scene.picketctl("ca", name))?;
        ensure!(probe.status.code() == Some(103), "picketctl, {name}: {}: {}", probe.status, said(&probe));
        told.push(said(&probe).trim().rsplit(": ").next().unwrap_or_default().to_owned());
        let arguments = ["--x509certfile", cert.as_str(), "--x509keyfile", &key];
        scene.logs(words, || gnutls_with(&scene.peer, &arguments))?;
        let arguments = ["-cert", cert.as_str(), "-key", &key, "-ign_eof"];
        let openssl = scene.logs(words, || openssl(&scene.peer, "TLSv1.3", &arguments))?;
        ensure!(!openssl.done, "openssl s_client, {name}: {}", openssl.words);
    }
    scene.logs(NONE, || gnutls_with(&scene.peer, &[]))?;
    let openssl = scene.logs(NONE, || openssl(&scene.peer, "TLSv1.3", &["-ign_eof"]))?;
    ensure!(!openssl.done, "openssl s_client without a certificate: {}", openssl.words);
    scene.join("right")?.poke()?;
    told.dedup();
    Ok(Finding::good(format!(
        "5 kinds, {} attempts of 4 clients: 0 came in, each with its own line; picketctl says {told:?}",
        REFUSED.len() * 4 + 2
    )))
}

fn with_key(scene: &Scene) -> Result<Finding> {
    let words = "a pre-shared key, which is refused in this mode";
    let came_in = scene.logs(words, || Ok(Client::connect(&scene.peer).is_ok()))?;
    ensure!(!came_in, "a client with the cluster's key came in");
    Ok(Finding::good(words))
}

fn mismatch(scene: &Scene) -> Result<Finding> {
    let (_, host) = scene.bench.host()?;
    trust(&host, &scene.ca)?;
    let (one, other) = (scene.ca.issue(Kind::Good)?, scene.ca.issue(Kind::Good)?);
    put(&host, "agent", &Identity { cert: one.cert, key: other.key })?;
    let (output, took) = scene.bench.run(&host, &[], &ENVIRONMENT)?;
    let log = host.read(Agent::LOG)?;
    let line = log.lines().find(|line| line.contains("cannot be used with private key"));
    let line = line.with_context(|| format!("the agent does not say it: {log}"))?;
    ensure!(
        line.contains("/etc/pacemaker/pki/agent.pem") && line.contains("/etc/pacemaker/pki/agent.key"),
        "{line}"
    );
    ensure!(output.status.code() == Some(100), "it ended with {}", output.status);
    Ok(Finding::good(format!("both files named, exit code 100 after {} ms", took.as_millis())))
}

fn agents_own(scene: &Scene) -> Result<Finding> {
    let probe = scene.picketctl("other", "right")?;
    let words = "the agent's certificate is not from a CA that is trusted here";
    ensure!(probe.status.code() == Some(103), "{}: {}", probe.status, said(&probe));
    ensure!(said(&probe).contains(words), "{}", said(&probe));
    Ok(Finding::good(words))
}

fn changed(scene: &Scene) -> Result<Finding> {
    let mut before = scene.join("right")?;
    let host = &scene.peer.host;
    let [cert, _] = paths("agent");
    let good = host.read(&cert)?;
    host.write(&cert, "not a certificate")?;
    scene
        .logs("going on with the credentials read before", || scene.join("right")?.poke())
        .context("with a file that cannot be used")?;
    host.write(&cert, &good)?;
    let other = Ca::new()?;
    put(host, "agent", &other.issue(Kind::Good)?)?;
    trust(host, &other)?;
    ensure!(scene.join("right").is_err(), "the old CA is still trusted");
    put(host, "renewed", &other.issue(Kind::Good)?)?;
    scene.join("renewed")?.poke()?;
    before.poke().context("a session from before the change")?;
    Ok(Finding::good("a broken file costs nothing, a new CA replaces the old one, a session stays"))
}
