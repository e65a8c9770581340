//! Point 5: how long a tool takes in a guest of either agent, in one run.

use std::time::Duration;

use anyhow::{Context, Result};

use super::bulk;
use super::stage::Stage;
use crate::agent::Agent;
use crate::report::Finding;

const ROUNDS: usize = 5;
const TIMES: usize = 20;

/// Runs a tool so often, inside the guest, and prints how long one took in microseconds, each.
const LOOP: &str = r#"n=$1; shift; while [ $n -gt 0 ]; do s=$(date +%s%N); "$@" >/dev/null || exit 1; e=$(date +%s%N); echo $(((e - s) / 1000)); n=$((n - 1)); done"#;

pub(super) fn measure() -> Result<Finding> {
    let sides = [Stage::new(Agent::Original, 1, &[])?, Stage::new(Agent::Picket, 1, &[])?];
    let small = compare(&sides, TIMES, &["attrd_updater", "-n", "level", "--query"], |stage| {
        stage.guest.host.check(&["attrd_updater", "-n", "level", "-U", "1"])
    })?;
    let large = compare(&sides, TIMES / 4, &["cibadmin", "-Q"], |stage| {
        bulk::add(&stage.cluster)?;
        Ok(String::new())
    })?;
    let holds = [small, large].iter().all(|[original, picket]| picket < original);
    let figure =
        |[original, picket]: [f64; 2]| format!("original {original:.1} ms, picket-agent {picket:.1} ms");
    Ok(Finding {
        figure: format!(
            "attrd_updater --query: {}; cibadmin -Q of 2 MB: {} (medians)",
            figure(small),
            figure(large)
        ),
        holds,
    })
}

/// Medians in milliseconds, measured in turn.
fn compare(
    sides: &[Stage; 2],
    times: usize,
    tool: &[&str],
    prepare: impl Fn(&Stage) -> Result<String>,
) -> Result<[f64; 2]> {
    for side in sides {
        prepare(side)?;
    }
    let count = times.to_string();
    let mut took = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (side, took) in sides.iter().zip(&mut took) {
            let command = [&["sh", "-c", LOOP, "loop", &count], tool].concat();
            let output = side.guest.host.run_within(Duration::from_secs(120), &command)?;
            anyhow::ensure!(output.status.success(), "{tool:?}: {}", output.stderr);
            let lines = output.stdout.lines().map(|line| line.parse::<f64>().context("a time"));
            took.extend(lines.collect::<Result<Vec<_>>>()?);
        }
    }
    Ok(took.map(|mut took| {
        took.sort_by(f64::total_cmp);
        took[took.len() / 2] / 1000.0
    }))
}
