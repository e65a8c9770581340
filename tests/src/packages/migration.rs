//! A guest of a running cluster changes from Debian's `pacemaker-remote` to our package, and a stranger sets up a guest:
//! nothing but the documents' commands, each typed where the document says.

use anyhow::{Result, ensure};

use super::Packages;
use super::document::{read, section};
use super::stage::{GUEST, Stage};
use crate::report::{Finding, Report};

/// The heading in `docs/migration.md` for the way that suits every service.
pub const MOVING: &str = "## Moving the services away";

/// The headings in the README for a guest that is a machine.
pub const README: [&str; 2] = ["## A guest in ten minutes", "## Looking in"];

/// Plays a section of `docs/migration.md`.
pub fn follow(packages: &Packages, heading: &str) -> Report {
    let mut report = Report::default();
    let mut stage = None;
    report.step("a cluster runs a service in a guest through Debian's pacemaker-remote", || {
        let begun = Stage::new(packages)?;
        begun.connect()?;
        begun.serve()?;
        let server = begun.guest.check("readlink /proc/$(pgrep -f '^/usr/sbin/pacemaker-remoted')/exe")?;
        ensure!(server.trim() == "/usr/sbin/pacemaker-remoted", "port 3121 is served by {server}");
        stage = Some(begun);
        Ok(Finding::good(server.trim()))
    });
    let Some(stage) = stage else { return report };
    if !report
        .step("every command of the document succeeds", || play(&stage, "docs/migration.md", &[heading]))
    {
        return report;
    }
    report.step("the service is back in the guest, through picket-agent", || stage.served_by_us());
    report.step("no fencing, no failed action", || unharmed(&stage));
    report
}

/// Plays what the README says about a new guest.
pub fn follow_readme(packages: &Packages) -> Report {
    let mut report = Report::default();
    let mut stage = None;
    report.step("a cluster, and a machine that it does not know", || {
        stage = Some(Stage::new(packages)?);
        Ok(Finding::good(GUEST))
    });
    let Some(stage) = stage else { return report };
    if !report.step("every command of the README succeeds", || play(&stage, "README.md", &README)) {
        return report;
    }
    report.step("a service runs in the guest, through picket-agent", || {
        stage.serve()?;
        stage.served_by_us()
    });
    report.step("no fencing, no failed action", || unharmed(&stage));
    report
}

fn play(stage: &Stage, document: &str, headings: &[&str]) -> Result<Finding> {
    let text = read(document)?;
    let mut count = 0;
    for heading in headings {
        let steps = section(&text, heading);
        ensure!(!steps.is_empty(), "{heading} has no commands");
        for step in &steps {
            stage.play(step)?;
        }
        count += steps.len();
    }
    Ok(Finding::good(format!("{count} commands")))
}

fn unharmed(stage: &Stage) -> Result<Finding> {
    let fenced = stage.cluster.fencing().record().len();
    let failures = stage.cluster.status()?.failures.len();
    Ok(Finding {
        figure: format!("{fenced} fenced, {failures} failed actions"),
        holds: fenced == 0 && failures == 0,
    })
}
