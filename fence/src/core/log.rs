//! Messages: stderr in the form people know (`2026-01-31 12:00:00,000 WARNING: text`), syslog and a debug file.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Mutex;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::output;

/// What goes where.
#[derive(Debug, Clone, Copy)]
pub struct Volume {
    /// Nothing on stderr.
    pub quiet: bool,
    /// 0 is warnings, 1 each call to the device, 2 and more everything.
    pub verbose: u32,
}

/// Starts logging for the rest of the process.
///
/// # Errors
/// The debug file cannot be opened.
pub fn start(name: &str, volume: Volume, debug_file: Option<&Path>) -> std::io::Result<()> {
    let file = debug_file.map(|path| OpenOptions::new().append(true).create(true).mode(0o600).open(path));
    let layer = Lines {
        name: name.to_owned(),
        level: match volume.verbose {
            0 => LevelFilter::WARN,
            1 => LevelFilter::INFO,
            _ => LevelFilter::DEBUG,
        },
        quiet: volume.quiet,
        file: file.transpose()?.map(Mutex::new),
        syslog: syslog(),
    };
    // A second start, in tests, changes nothing.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer));
    Ok(())
}

/// Never waits: a full syslog socket loses the line, and the fencing goes on.
fn syslog() -> Option<UnixDatagram> {
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    socket.connect("/dev/log").ok()?;
    Some(socket)
}

struct Lines {
    name: String,
    level: LevelFilter,
    quiet: bool,
    file: Option<Mutex<File>>,
    syslog: Option<UnixDatagram>,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        let ours = metadata.target().starts_with("picket_fence");
        ours && (self.file.is_some() || *metadata.level() <= self.level)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = *event.metadata().level();
        let mut text = Text::default();
        event.record(&mut text);
        let text = text.0.replace('\n', " ");
        let time = chrono::Local::now().format("%Y-%m-%d %H:%M:%S,%3f");
        let line = format!("{time} {}: {text}", word(level));
        if let Some(file) = &self.file
            && let Ok(mut file) = file.lock()
        {
            let _ = writeln!(file, "{line}");
        }
        if level > self.level {
            return;
        }
        if !self.quiet {
            output::stderr(&line);
        }
        if let Some(socket) = &self.syslog {
            // Facility user is 1; the priority is facility * 8 + severity (RFC 3164).
            let stamp = chrono::Local::now().format("%b %e %H:%M:%S");
            let line =
                format!("<{}>{stamp} {}[{}]: {text}", 8 + severity(level), self.name, std::process::id());
            let _ = socket.send(line.as_bytes());
        }
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        _ => "DEBUG",
    }
}

fn severity(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

/// The message, then each field as ` name=value`.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0.insert_str(0, &format!("{value:?}"));
        } else {
            self.0 += &format!(" {}={value:?}", field.name());
        }
    }
}
