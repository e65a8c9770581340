//! A container that is a host of its own, with the agent as process 1, as a guest of a real cluster whose operations
//! leave orphans behind.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{Engine, Kind, Part, Watch, nobody_fenced, root};
use crate::cluster::Cluster;
use crate::report::{Finding, Report, Step};
use crate::wait::wait_until;

const GUEST: &str = "guest";
const IMAGE: &str = "picket-guest:test";
const SOON: Duration = Duration::from_secs(120);

/// Resources, each checked once a second, each check leaving ten orphans.
const RESOURCES: usize = 20;
/// Of those, the ones that are made to fail in the end.
const FAILING: usize = 5;

struct Stage {
    cluster: Cluster,
    engine: Engine,
    checks: usize,
}

const STEPS: [Step<Stage>; 4] = [
    ("the cluster connects to the container and starts its resources", starts),
    ("every check of the cluster ends with its own exit status", checks),
    ("no zombie is left", zombies),
    ("exit statuses other than 0 reach the cluster, each from where it was", failures),
];

/// The cluster carries out `checks` checks in the container.
pub fn container_guest(checks: usize, watch: Watch) -> Report {
    let mut report = Report::default();
    let mut stage = None;
    let ready = report.step("a container starts on a host of its own, beside a cluster", || {
        let mut cluster = Cluster::start(1)?;
        let host = cluster.network().host(GUEST)?;
        let engine = Engine::start(&host, Kind::Docker)?;
        let parts = [Part::Agent, Part::Shell, Part::ResourceAgents];
        engine.import(&root(cluster.network(), GUEST, &parts)?, IMAGE)?;
        let key = "/etc/pacemaker/authkey:/etc/pacemaker/authkey";
        let options = ["run", "-d", "--restart=always", "--net=host", "--name", GUEST, "-v", key, IMAGE];
        engine.cli(&[&options[..], &["/usr/sbin/pacemaker-remoted"]].concat())?;
        let titles = engine.cli(&["top", GUEST, "-o", "pid,comm"])?;
        ensure!(titles.contains("pcmk-init"), "{titles}");
        cluster.connect(host)?;
        stage = Some(Stage { cluster, engine, checks });
        Ok(Finding::good("process 1 is pcmk-init"))
    });
    watch(report.checks.last().expect("a step adds a check"));
    let Some(stage) = stage.filter(|_| ready) else { return report };
    if report.play(&stage, &STEPS, watch) {
        nobody_fenced(&mut report, &stage.cluster);
    }
    report
}

fn name(number: usize) -> String {
    format!("inside{number}")
}

fn starts(stage: &Stage) -> Result<Finding> {
    let began = Instant::now();
    stage.cluster.wait("the guest is online", SOON, |status| status.is_online(GUEST))?;
    let primitive = |number| {
        let id = name(number);
        format!(
            r#"<primitive id="{id}" class="ocf" provider="test" type="orphans">
                <operations><op id="{id}-monitor" name="monitor" interval="1s" timeout="60s"/></operations>
            </primitive>"#
        )
    };
    let place = |number| {
        let id = name(number);
        format!(
            r#"<rsc_location id="{id}-place" rsc="{id}" node="{GUEST}" score="INFINITY"
                resource-discovery="exclusive"/>"#
        )
    };
    let resources: String = (0..RESOURCES).map(primitive).collect();
    let constraints: String = (0..RESOURCES).map(place).collect();
    stage.cluster.extend(&format!(
        "<configuration><resources>{resources}</resources><constraints>{constraints}</constraints></configuration>"
    ))?;
    all_run(stage)?;
    Ok(Finding::good(format!("{RESOURCES} resources, {:.1} s", began.elapsed().as_secs_f64())))
}

fn all_run(stage: &Stage) -> Result<()> {
    let what = "all resources run in the container";
    let status = stage.cluster.wait(what, SOON, |status| {
        (0..RESOURCES).all(|number| status.node_of(&name(number), "Started") == Some(GUEST))
    });
    status.map(drop)
}

fn inside(stage: &Stage, script: &str) -> Result<String> {
    stage.engine.cli(&["exec", GUEST, "sh", "-c", script])
}

/// Each check adds a byte to its resource's file.
fn count(stage: &Stage) -> Result<usize> {
    let bytes = inside(stage, "cat /run/inside*.count | wc -c")?;
    bytes.trim().parse().with_context(|| format!("count checks: {bytes}"))
}

fn checks(stage: &Stage) -> Result<Finding> {
    let began = Instant::now();
    let before = count(stage)?;
    // Twenty a second where nothing else runs.
    let limit = Duration::from_secs(60) + Duration::from_secs(stage.checks as u64 / 2);
    let done = wait_until("the checks are done", limit, || {
        Ok(Some(count(stage)? - before).filter(|done| *done >= stage.checks))
    })?;
    let took = began.elapsed().as_secs_f64();
    let status = stage.cluster.status()?;
    let running = (0..RESOURCES).filter(|number| status.node_of(&name(*number), "Started") == Some(GUEST));
    let (running, failed) = (running.count(), status.failures.len());
    let figure = format!(
        "{done} children and {} orphans in {took:.1} s: {failed} failures, {running} of {RESOURCES} resources run",
        done * 10
    );
    Ok(Finding { figure, holds: failed == 0 && running == RESOURCES })
}

fn zombies(stage: &Stage) -> Result<Finding> {
    // Zombies that live for a moment are no leak: those that are there twice are.
    let zombies = || -> Result<BTreeSet<String>> {
        let list = stage.engine.host.check(&["ps", "-e", "-o", "stat=,pid=,comm="])?;
        let lines = list.lines().filter(|line| line.starts_with('Z'));
        Ok(lines.filter_map(|line| line.split_whitespace().nth(1)).map(str::to_owned).collect())
    };
    let mut left = zombies()?;
    let waited = wait_until("zombies are reaped", Duration::from_secs(10), || {
        let now = zombies()?;
        left.retain(|pid| now.contains(pid));
        Ok(left.is_empty().then_some(()))
    });
    Ok(Finding { figure: format!("{} zombies", left.len()), holds: waited.is_ok() })
}

fn failures(stage: &Stage) -> Result<Finding> {
    let began = Instant::now();
    for number in 0..FAILING {
        inside(stage, &format!("echo 1 >/run/{}.code", name(number)))?;
    }
    let expected: BTreeSet<_> = (0..FAILING).map(|number| format!("{}_monitor_1000", name(number))).collect();
    let told = |failures: &[crate::cluster::Failure]| -> BTreeSet<String> {
        failures.iter().map(|failure| failure.operation.clone()).collect()
    };
    let status = stage
        .cluster
        .wait("the failures are seen", SOON, |status| told(&status.failures).is_superset(&expected))?;
    all_run(stage)?;
    let seen = told(&status.failures);
    let figure =
        format!("{} of {FAILING} seen and repaired in {:.1} s", seen.len(), began.elapsed().as_secs_f64());
    Ok(Finding { figure, holds: seen == expected })
}
