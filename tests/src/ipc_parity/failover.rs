//! Point 3: the connection moves to the other cluster node, and that node dies, while 20 tools run in loops.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::hostile::descriptors;
use super::stage::{GUEST, SOON, Stage};
use crate::agent::Agent;
use crate::program::Program;
use crate::report::Finding;
use crate::wait::wait_until;

const RECORD: &str = "/run/loops";

/// Longer than any tool waits for an answer. Who reaches it hangs.
const HANG: u32 = 70;

/// Each of 20 loops writes a line a run: status, milliseconds, tool, what it said.
const LOOPS: &str = r#"
mkdir -p "$1"
set -- "$1" "$2" 'crm_node -n' 'attrd_updater -n level -Q' 'attrd_updater -n level -U 1' 'cibadmin -Q' \
    'crm_attribute -t crm_config -n stonith-enabled -G' 'crm_mon -1' 'crm_resource -L' 'stonith_admin -L' \
    'crmadmin -D' 'crm_attribute -n mark -l reboot -v 1'
folder=$1 hang=$2
shift 2
for tool in "$@" "$@"; do
    number=$((number + 1))
    (
        while [ ! -e "$folder/stop" ]; do
            start=$(date +%s%N)
            said=$(timeout --signal=KILL "$hang" $tool 2>&1 >/dev/null)
            status=$?
            end=$(date +%s%N)
            echo "$status $(((end - start) / 1000000)) $tool: $said" | tr '\n' ' '
            echo
        done >"$folder/$number.log"
        : >"$folder/$number.done"
    ) &
done
wait
"#;

/// One run of a tool.
struct Run {
    status: i32,
    millis: u64,
    said: String,
    line: String,
}

pub(super) fn measure() -> Result<Finding> {
    let stage = Stage::new(Agent::Picket, 2, &[])?;
    let (cluster, host) = (&stage.cluster, &stage.guest.host);
    let pid = host.pid("agent")?;
    let descriptors_before = descriptors(pid)?;
    host.start(&Program::new("loops", &["sh", "-c", LOOPS, "loops", RECORD, &HANG.to_string()]))?;
    pause(Duration::from_secs(3));

    let at = |role: &str| -> Result<String> {
        let status = cluster.status()?;
        status.node_of(GUEST, role).map(str::to_owned).context("the connection runs nowhere")
    };
    let other = |node: &str| if node == "node1" { "node2" } else { "node1" };
    let mut moves = 0;
    for _ in 0..2 {
        let target = other(&at("Started")?).to_owned();
        cluster.run(&["crm_resource", "--move", "--resource", GUEST, "--node", &target])?;
        cluster.wait("the connection has moved", SOON, |s| s.node_of(GUEST, "Started") == Some(&target))?;
        cluster.run(&["crm_resource", "--clear", "--resource", GUEST])?;
        moves += 1;
        pause(Duration::from_secs(2));
    }
    let victim = at("Started")?;
    let heir = other(&victim).to_owned();
    cluster.node(&victim)?.crash();
    cluster.wait("the surviving node has taken the connection", 2 * SOON, |status| {
        status.node_of(GUEST, "Started") == Some(&heir) && status.is_online(GUEST)
    })?;
    pause(Duration::from_secs(3));

    host.write(&format!("{RECORD}/stop"), "")?;
    let limit = Duration::from_secs(u64::from(HANG) + 20);
    wait_until("all loops have ended", limit, || {
        let done = host.run(&["sh", "-c", &format!("ls {RECORD}/*.done | wc -l")])?;
        Ok((done.stdout.trim() == "20").then_some(()))
    })?;
    let runs = runs(&host.check(&["sh", "-c", &format!("cat {RECORD}/*.log")])?)?;
    ensure!(host.pid("agent")? == pid, "the agent was replaced");
    let left = wait_until("descriptors and shared memory are given back", SOON, || {
        let shared = host.check(&["ls", "/dev/shm"])?;
        let descriptors = descriptors(pid)?;
        Ok((shared.is_empty() && descriptors <= descriptors_before + 1).then_some(()))
    });
    left.with_context(|| {
        let shared = host.check(&["ls", "/dev/shm"]).unwrap_or_default();
        format!("{descriptors_before} descriptors before, {:?} now; /dev/shm: {shared}", descriptors(pid))
    })?;

    let failed: Vec<_> = runs.iter().filter(|run| run.status != 0).collect();
    // A shell's word for signals, KILL by `timeout` among them, is a status above 128; 124 is a tool's own for "timed
    // out". crm_node 2.1.5 aborts after it has said that the connection is lost, with either agent: its own fault.
    let aborted = |run: &Run| run.status == 134 && run.said.contains("Lost connection to controller");
    let bad = |run: &&&Run| (run.status > 128 && !aborted(run)) || run.said.trim().is_empty();
    let bad: Vec<_> = failed.iter().filter(bad).map(|run| run.line.clone()).collect();
    let slowest = runs.iter().max_by_key(|run| run.millis).context("nothing ran")?;
    let mut figure = format!(
        "{} runs of 20 tools, {moves} moves and a crash of the connected node: {} succeeded, {} failed with status and \
         message ({} of them crm_node's own abort after its message), slowest {:.1} s, no descriptor or file left",
        runs.len(),
        runs.len() - failed.len(),
        failed.len() - bad.len(),
        failed.iter().filter(|run| aborted(run)).count(),
        Duration::from_millis(slowest.millis).as_secs_f64(),
    );
    if !bad.is_empty() {
        figure.push_str(&format!("; {} hung, crashed or said nothing: {}", bad.len(), bad.join(", ")));
    }
    Ok(Finding { figure, holds: bad.is_empty() })
}

fn runs(text: &str) -> Result<Vec<Run>> {
    let run = |line: &str| {
        let mut fields = line.splitn(3, ' ');
        let status = fields.next().and_then(|field| field.parse().ok());
        let millis = fields.next().and_then(|field| field.parse().ok());
        let said = fields.next().unwrap_or_default().split_once(": ").map_or("", |(_, said)| said);
        match (status, millis) {
            (Some(status), Some(millis)) => {
                Ok(Run { status, millis, said: said.to_owned(), line: line.to_owned() })
            }
            _ => anyhow::bail!("a loop wrote '{line}'"),
        }
    };
    text.lines().filter(|line| !line.is_empty()).map(run).collect()
}

#[expect(clippy::disallowed_methods, reason = "tools are to run for a while; nothing is awaited")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
