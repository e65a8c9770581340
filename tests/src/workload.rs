//! The services a scenario runs: a dummy, a web server and a promotable state, all of which prefer the guest.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::cluster::{Cluster, Status};
use crate::host::Host;

/// Id of the `ocf:pacemaker:Dummy`.
pub(crate) const DUMMY: &str = "dummy";
/// Id of the `ocf:heartbeat:nginx`.
pub(crate) const WEB: &str = "web";
/// Id of the `ocf:pacemaker:Stateful`, which is inside the promotable clone `states`.
pub(crate) const STATE: &str = "state";
/// How often the web server is monitored, which bounds how long its death can go unnoticed.
pub(crate) const WEB_INTERVAL: Duration = Duration::from_secs(2);

const PORT: u16 = 8080;
const WEB_CONFIG: &str = "/etc/picket-web.conf";
const WEB_PID: &str = "/run/picket-web.pid";
const DUMMY_FILE: &str = "/run/picket-dummy.state";
const STATE_FILE: &str = "/run/picket-state.state";

/// Creates the dummy and the web server.
pub(crate) fn create_services(cluster: &Cluster, guest: &Host) -> Result<()> {
    for host in cluster.nodes().iter().map(AsRef::as_ref).chain([guest]) {
        prepare_web(host)?;
    }
    // Constraints may only name what exists, and a resource without one could start elsewhere first: so both at once.
    let name = guest.name();
    cluster.extend(&format!(
        r#"<configuration>
          <resources>
            <primitive id="{DUMMY}" class="ocf" provider="pacemaker" type="Dummy">
              <instance_attributes id="{DUMMY}-attributes">
                <nvpair id="{DUMMY}-state" name="state" value="{DUMMY_FILE}"/>
              </instance_attributes>
              <operations>
                <op id="{DUMMY}-monitor" name="monitor" interval="5s" timeout="20s"/>
              </operations>
            </primitive>
            <primitive id="{WEB}" class="ocf" provider="heartbeat" type="nginx">
              <instance_attributes id="{WEB}-attributes">
                <nvpair id="{WEB}-configfile" name="configfile" value="{WEB_CONFIG}"/>
                <nvpair id="{WEB}-httpd" name="httpd" value="/usr/sbin/nginx"/>
              </instance_attributes>
              <operations>
                <op id="{WEB}-monitor" name="monitor" interval="{interval}s" timeout="20s"/>
              </operations>
            </primitive>
          </resources>
          <constraints>
            <rsc_location id="{DUMMY}-prefers" rsc="{DUMMY}" node="{name}" score="1000"/>
            <rsc_location id="{WEB}-prefers" rsc="{WEB}" node="{name}" score="1000"/>
          </constraints>
        </configuration>"#,
        interval = WEB_INTERVAL.as_secs()
    ))
}

/// Creates a state on every node, promoted on the guest by a rule: whether attribute tools work inside a guest is
/// another matter.
pub(crate) fn create_state(cluster: &Cluster, guest: &Host) -> Result<()> {
    let name = guest.name();
    cluster.extend(&format!(
        r##"<configuration>
          <resources>
            <clone id="states">
              <meta_attributes id="states-meta">
                <nvpair id="states-promotable" name="promotable" value="true"/>
              </meta_attributes>
              <primitive id="{STATE}" class="ocf" provider="pacemaker" type="Stateful">
                <instance_attributes id="{STATE}-attributes">
                  <nvpair id="{STATE}-state" name="state" value="{STATE_FILE}"/>
                </instance_attributes>
                <operations>
                  <op id="{STATE}-monitor-p" name="monitor" role="Promoted" interval="5s" timeout="20s"/>
                  <op id="{STATE}-monitor-u" name="monitor" role="Unpromoted" interval="6s" timeout="20s"/>
                </operations>
              </primitive>
            </clone>
          </resources>
          <constraints>
            <rsc_location id="states-promoted" rsc="states">
              <rule id="states-promoted-rule" role="Promoted" score="1000">
                <expression id="states-promoted-where" attribute="#uname" operation="eq" value="{name}"/>
              </rule>
            </rsc_location>
          </constraints>
        </configuration>"##
    ))
}

/// Puts the web server's configuration on a host; the agent's parameters for it.
pub(crate) fn prepare_web(host: &Host) -> Result<[(&'static str, &'static str); 2]> {
    host.write(WEB_CONFIG, &web_config(host.name()))?;
    Ok([("configfile", WEB_CONFIG), ("httpd", "/usr/sbin/nginx")])
}

/// Answers with the name of its host, so that a client knows where the service runs.
fn web_config(host: &str) -> String {
    format!(
        "worker_processes 1;\npid {WEB_PID};\nerror_log /var/log/nginx/picket-web.log;\nevents {{ }}\nhttp {{\n  \
         access_log off;\n  server {{\n    listen {PORT};\n    location / {{ return 200 \"{host}\"; }}\n  }}\n}}\n"
    )
}

/// Whether the dummy and the web server run on `node`, and the state is promoted there if there is one.
pub(crate) fn all_on(status: &Status, node: &str) -> bool {
    let state = status.resources.iter().any(|resource| resource.id == STATE);
    status.runs_on(DUMMY, node)
        && status.runs_on(WEB, node)
        && (!state || status.node_of(STATE, "Promoted") == Some(node))
}

/// Whether nothing of it is active on `node`.
pub(crate) fn none_on(status: &Status, node: &str) -> bool {
    let ours = status.resources.iter().filter(|resource| [DUMMY, WEB, STATE].contains(&resource.id.as_str()));
    !ours.flat_map(|resource| &resource.nodes).any(|name| name == node)
}

/// Fetches the page of `server` from `client`, and checks that this is who answers.
pub(crate) fn fetch(client: &Host, server: &Host) -> Result<()> {
    let url = format!("http://{}:{PORT}/", server.address());
    let answer = client.check(&["curl", "--silent", "--show-error", "--fail", "--max-time", "2", &url])?;
    ensure!(answer == server.name(), "{url} answers '{answer}' and not '{}'", server.name());
    Ok(())
}

/// The pid of the web server's master inside its host.
pub(crate) fn web_pid(host: &Host) -> Result<i32> {
    let text = host.read(WEB_PID)?;
    text.trim().parse().with_context(|| format!("{WEB_PID} on {} is '{}'", host.name(), text.trim()))
}

/// Kills the web server: master and workers, which would keep the port.
pub(crate) fn kill_web(host: &Host) -> Result<()> {
    let pid = web_pid(host)?;
    ensure!(pid > 1, "{WEB_PID} on {} names pid {pid}", host.name());
    host.check(&["kill", "-KILL", "--", &format!("-{pid}")])?;
    Ok(())
}

/// What tells services that went on running from restarted ones.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Footprint {
    /// Pid of the web server's master inside the host.
    pub(crate) web_pid: i32,
    /// When that process started, in ticks since the machine booted.
    web_started: u64,
    /// Inode and times of last change of the state files.
    files: Vec<(u64, i64, i64)>,
}

impl Footprint {
    pub(crate) fn of(host: &Host) -> Result<Self> {
        let web_pid = web_pid(host)?;
        let stat = host.read(&format!("/proc/{web_pid}/stat"))?;
        // Field 22, counted from behind the process's name, which may hold anything.
        let started = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(19));
        let web_started = started
            .and_then(|ticks| ticks.parse().ok())
            .with_context(|| format!("start time in '{stat}'"))?;
        let files = [DUMMY_FILE, STATE_FILE].iter().map(|path| {
            let path = host.seen_from_outside(path)?;
            let meta = fs::metadata(&path).with_context(|| format!("look at {}", path.display()))?;
            Ok((meta.ino(), meta.mtime(), meta.mtime_nsec()))
        });
        Ok(Self { web_pid, web_started, files: files.collect::<Result<_>>()? })
    }
}
