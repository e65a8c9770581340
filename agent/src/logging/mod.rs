//! The detail log, stderr and syslog, in the line formats of Pacemaker's daemons.
//!
//! Lines to files are written by a thread of their own: a full disk or a blocked pipe may cost lines, never the time in
//! which a cluster waits for an answer.

mod line;
mod syslog;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use nix::unistd::fchown;
use tracing_appender::non_blocking::{NonBlocking, WorkerGuard};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::accounts;
use crate::config::LogConfig;
use line::Lines;
pub use line::Severity;
pub use syslog::Facility;
use syslog::Syslog;

/// Keep until the end: dropping it writes what is still queued.
#[must_use]
pub struct Logging {
    _guards: Vec<WorkerGuard>,
}

/// Starts logging. A log file that cannot be opened is reported on stderr and done without.
pub fn start(config: &LogConfig, program: &'static str) -> Logging {
    let level = match config.verbosity {
        0 => tracing::level_filters::LevelFilter::INFO,
        1 => tracing::level_filters::LevelFilter::DEBUG,
        _ => tracing::level_filters::LevelFilter::TRACE,
    };
    let mut guards = Vec::new();
    let mut queued = |sink: Sink| -> NonBlocking {
        let (writer, guard) = tracing_appender::non_blocking(sink);
        guards.push(guard);
        writer
    };
    let opened = config.file.as_deref().map(|path| (path, open(path, config.mode)));
    let (file, failure) = match opened {
        None => (None, None),
        Some((_, Ok(file))) => (Some(file), None),
        Some((path, Err(error))) => (None, Some((path.to_owned(), error))),
    };
    // Without any log file the only place left is stderr.
    let stderr = (config.stderr || file.is_none()).then(|| queued(Sink::Stderr(io::stderr())));
    let file = file.map(|file| queued(Sink::File(file)));
    let layers: Vec<_> = stderr
        .into_iter()
        .chain(file)
        .map(|writer| {
            let lines = tracing_subscriber::fmt::layer().with_ansi(false).event_format(Lines::new(program));
            lines.with_writer(writer).with_filter(level)
        })
        .collect();
    let syslog = config.facility.and_then(|facility| Syslog::open(facility, config.threshold, program));
    // A second call keeps the first subscriber.
    let _ = tracing_subscriber::registry().with(layers).with(syslog).try_init();
    if let Some((path, error)) = failure {
        tracing::warn!("cannot open log file {}: {error}", path.display());
    }
    Logging { _guards: guards }
}

enum Sink {
    File(File),
    Stderr(io::Stderr),
}

impl io::Write for Sink {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(line),
            Self::Stderr(stderr) => stderr.write(line),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens for appending; as root the file goes to `hacluster:haclient`, where they exist, with the configured mode.
fn open(path: &Path, mode: u32) -> io::Result<File> {
    let file = OpenOptions::new().append(true).create(true).mode(mode).open(path)?;
    if nix::unistd::geteuid().is_root() && file.metadata()?.is_file() {
        if let (Some(user), Some(group)) = (accounts::user("hacluster"), accounts::group("haclient"))
            && file.metadata()?.gid() != group.as_raw()
        {
            fchown(&file, Some(user.uid), Some(group))?;
        }
        file.set_permissions(fs::Permissions::from_mode(mode))?;
    }
    Ok(file)
}
