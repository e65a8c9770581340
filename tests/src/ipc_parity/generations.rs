//! Tools of both header generations at one agent, at the same time: Debian 12's write the old one, a client of ours
//! the new one.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::bulk;
use super::stage::{GUEST, Stage};
use crate::agent::Agent;
use crate::local;
use crate::report::Finding;

const ROUNDS: usize = 10;

const ATTRIBUTE: &str = r#"<query t="attrd" src="local-client" attr_name="level" task="query"/>"#;
const WHOLE_CIB: &str = r#"<cib_command t="cib" cib_op="cib_query" cib_callid="1" cib_callopt="4352"/>"#;

pub(super) fn measure() -> Result<Finding> {
    let stage = Stage::new(Agent::Picket, 1, &[])?;
    bulk::add(&stage.cluster)?;
    let host = &stage.guest.host;
    host.check(&["attrd_updater", "-n", "level", "-U", "42"])?;
    let program = local::program()?;
    let program = program.to_str().context("its path is not UTF-8")?;
    let ask = |server, xml| host.check(&[program, "ask", server, "new", xml]);
    let expected = format!(r#"attr_host="{GUEST}" attr_value="42""#);
    let mut largest = 0;
    std::thread::scope(|scope| {
        let old = scope.spawn(|| {
            for _ in 0..ROUNDS {
                let said = host.check(&["attrd_updater", "-n", "level", "-Q"])?;
                ensure!(said.contains(r#"value="42""#), "attrd_updater says '{said}'");
                let cib = host.run_within(Duration::from_secs(60), &["cibadmin", "-Q"])?;
                ensure!(cib.status.success() && cib.stdout.len() > bulk::SIZE, "cibadmin -Q: {}", cib.stderr);
            }
            anyhow::Ok(())
        });
        for _ in 0..ROUNDS {
            let said = ask("attrd", ATTRIBUTE)?;
            ensure!(said.contains(&expected), "the new client got '{said}'");
            let cib = ask("cib_rw", WHOLE_CIB)?;
            ensure!(cib.len() > bulk::SIZE / 2, "the new client got a CIB of {} bytes", cib.len());
            largest = largest.max(cib.len());
        }
        old.join().map_err(|_| anyhow::anyhow!("the old client panicked"))?
    })?;
    Ok(Finding::good(format!(
        "{} answers of either kind at the same time, the new one's up to {largest} bytes in parts",
        2 * ROUNDS
    )))
}
