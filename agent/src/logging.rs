//! The detail log and stderr, in the line format of Pacemaker's daemons.
//!
//! Lines are written by a thread of their own: a full disk or a blocked pipe may cost lines, never the time in
//! which a cluster waits for an answer.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use nix::unistd::{Group, User, fchown, gethostname};
use tracing::{Event, Level, Subscriber};
use tracing_appender::non_blocking::{NonBlocking, WorkerGuard};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{ChronoLocal, FormatTime as _};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::LogConfig;

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
    // A second call keeps the first subscriber.
    let _ = tracing_subscriber::registry().with(layers).try_init();
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
        if let (Ok(Some(user)), Ok(Some(group))) =
            (User::from_name("hacluster"), Group::from_name("haclient"))
            && file.metadata()?.gid() != group.gid.as_raw()
        {
            fchown(&file, Some(user.uid), Some(group.gid))?;
        }
        file.set_permissions(fs::Permissions::from_mode(mode))?;
    }
    Ok(file)
}

/// `Nov 20 22:02:06.456 host picket-agent [4711] (hub) info: message`
struct Lines {
    time: ChronoLocal,
    host: String,
    program: &'static str,
}

impl Lines {
    fn new(program: &'static str) -> Self {
        let host = gethostname().map_or_else(|_| "?".to_owned(), |name| name.to_string_lossy().into_owned());
        Self { time: ChronoLocal::new("%b %d %H:%M:%S%.3f".to_owned()), host, program }
    }
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        ctx: &FmtContext<'_, S, N>,
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let severity = match *event.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warning",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        };
        let module = event.metadata().target().rsplit("::").next().unwrap_or_default();
        self.time.format_time(&mut line)?;
        write!(line, " {} {} [{}] ({module}) {severity}: ", self.host, self.program, std::process::id())?;
        ctx.format_fields(line.by_ref(), event)?;
        writeln!(line)
    }
}
