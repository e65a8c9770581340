//! `ocf:picket:probe` against real TLS servers, and with a parameter that the cluster keeps secret.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Driver, Job, driver};
use crate::agent::Agent;
use crate::host::Host;
use crate::network::Network;
use crate::peer::Peer;
use crate::pki::{Ca, Kind};
use crate::program::Program;
use crate::report::{Finding, Report};
use crate::wait::wait_until;

const RSC: &str = "web";
const TIMEOUT: Duration = Duration::from_secs(30);
const GOOD: u16 = 8443;
const EXPIRED: u16 = 8444;
const CA: &str = "/etc/pacemaker/ca.pem";
const OTHER_CA: &str = "/etc/pacemaker/other-ca.pem";

/// The part of a secret URL that nobody may be told.
const TOKEN: &str = "sesame4711";

struct Stage {
    driver: Driver,
    peer: Peer,
}

/// Every row with one agent and OpenSSL's server.
pub fn probe() -> Report {
    let mut report = Report::default();
    let mut stage = None;
    let ready = report.step("OpenSSL serves with a good and with an expired certificate", || {
        let network = Network::new()?;
        let host = network.host("peer")?;
        servers(&host)?;
        let peer = Peer::start_on(&network, &host, Agent::Picket, &[("PCMK_debug", "yes")])?;
        let mut driver = driver(&host)?;
        driver.register(RSC, "picket:probe")?;
        stage = Some(Stage { driver, peer });
        Ok(Finding::good("both listen"))
    });
    let Some(mut stage) = stage.filter(|_| ready) else { return report };
    let good = format!("https://host:{GOOD}/");
    let expired = format!("https://host:{EXPIRED}/");
    let other_name = format!("https://{}:{GOOD}/", Ipv4Addr::LOCALHOST);
    let rows = [
        ("start with the server's own authority: ok", "start", &good, CA, 0, ""),
        ("monitor: ok", "monitor", &good, CA, 0, ""),
        ("another authority: error", "monitor", &good, OTHER_CA, 1, "certificate"),
        ("an expired certificate: error", "monitor", &expired, CA, 1, "expired"),
        ("another name: error", "monitor", &other_name, CA, 1, "not valid for"),
        ("an authority that cannot be read: error", "monitor", &good, "/none.pem", 1, "/none.pem"),
        (
            "a server that wants no certificate of anybody: error",
            "monitor",
            &"https://host:3121/".to_owned(),
            CA,
            1,
            "host:3121",
        ),
    ];
    for (name, action, target, ca, rc, reason) in rows {
        report.step(name, || {
            let params = [("target", target.as_str()), ("ca_file", ca)];
            stage.result(action, &params, rc, reason)
        });
    }
    report.step("a secret target is read, checked and never told", || stage.secret());
    report
}

fn servers(host: &Host) -> Result<()> {
    let (ca, other) = (Ca::new()?, Ca::new()?);
    host.write("/etc/hosts", "127.0.0.1 localhost host\n")?;
    host.write(CA, &ca.cert)?;
    host.write(OTHER_CA, &other.cert)?;
    for (port, kind) in [(GOOD, Kind::Good), (EXPIRED, Kind::Expired)] {
        let identity = ca.issue(kind)?;
        let [cert, key] = ["cert", "key"].map(|part| format!("/etc/pacemaker/{port}-{part}.pem"));
        host.write(&cert, &identity.cert)?;
        host.write(&key, &identity.key)?;
        let accept = port.to_string();
        let server = ["openssl", "s_server", "-www", "-accept", &accept, "-cert", &cert, "-key", &key];
        host.start(&Program::new(&format!("openssl-{port}"), &server))?;
        wait_until("openssl listens", TIMEOUT, || Ok(host.listens(port)?.then_some(())))?;
    }
    Ok(())
}

impl Stage {
    fn result(&mut self, action: &str, params: &[(&str, &str)], rc: u8, reason: &str) -> Result<Finding> {
        let own = [("check", "http"), ("deadline", "10")];
        let params: Vec<_> = own.iter().chain(params).copied().collect();
        let job = Job { rsc: RSC, action, params: &params, interval: Duration::ZERO, timeout: TIMEOUT };
        let outcome = self.driver.run(&job)?.outcome;
        let said = outcome.exit_reason.unwrap_or_default();
        Ok(Finding {
            holds: outcome.rc.number() == rc && said.contains(reason),
            figure: format!("{} {said}", outcome.rc),
        })
    }

    fn secret(&mut self) -> Result<Finding> {
        let url = format!("https://host:{GOOD}/{TOKEN}");
        let folder = "/var/lib/pacemaker/lrm/secrets";
        let host = self.peer.host.clone();
        let params = |status| [("target", "lrm://"), ("ca_file", CA), ("expect_status", status)];
        let missing = self.result("monitor", &params("200"), 2, "Unable to load CIB secrets")?;
        host.write(&format!("{folder}/{RSC}/target"), &format!("{url}\n"))?;
        let script = format!("cd {folder}/{RSC} && printf %s '{url}' | md5sum | cut -d' ' -f1 >target.sign");
        host.check(&["sh", "-c", &script])?;
        let good = self.result("monitor", &params("200"), 0, "")?;
        let bad = self.result("monitor", &params("500"), 1, "secret parameter")?;
        // It has to be the server that decides, not a fault of ours.
        let log = std::fs::read(&self.peer.log).context("read the agent's log")?;
        let told = [&log[..], bad.figure.as_bytes()]
            .iter()
            .any(|text| text.windows(TOKEN.len()).any(|part| part == TOKEN.as_bytes()));
        ensure!(!log.is_empty(), "the agent has no log");
        host.check(&["rm", "-r", &format!("{folder}/{RSC}")])?;
        let stop = self.result("stop", &params("200"), 0, "")?;
        let all = [missing, good, bad, stop];
        let figures: Vec<_> = all.iter().map(|finding| finding.figure.trim()).collect();
        Ok(Finding {
            holds: all.iter().all(|finding| finding.holds) && !told,
            figure: format!(
                "{}; {}",
                figures.join("; "),
                if told { "TOLD" } else { "nowhere in log or reasons" }
            ),
        })
    }
}
