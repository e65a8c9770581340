//! One log line: severity, text, and the shape it has in each place.

use std::fmt::{self, Write as _};

use nix::unistd::gethostname;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{ChronoLocal, FormatTime as _};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Severities in syslog's order (RFC 5424, table 2). An event at info level with the field `notice` is a notice:
/// something an administrator wants to see though nothing is wrong.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// 3
    Error = 3,
    /// 4
    Warning = 4,
    /// 5
    Notice = 5,
    /// 6
    Info = 6,
    /// 7
    Debug = 7,
}

impl Severity {
    /// The threshold of that name, as in `PCMK_logpriority`. What is more severe than an error never happens here.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "alert" | "crit" | "critical" | "emerg" | "error" => Self::Error,
            "warning" | "warn" => Self::Warning,
            "notice" => Self::Notice,
            "info" => Self::Info,
            "debug" => Self::Debug,
            _ => return None,
        })
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
            Self::Info => "info",
            Self::Debug => "debug",
        })
    }
}

/// Message and fields of an event.
#[derive(Debug, Default)]
struct Parts {
    message: String,
    fields: String,
    notice: bool,
}

impl Visit for Parts {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => write!(self.message, "{value:?}"),
            "notice" => {
                self.notice = true;
                Ok(())
            }
            name => write!(self.fields, " {name}={value:?}"),
        }
        .expect("writing to a String cannot fail");
    }
}

/// Severity and text of an event. What a peer put into it cannot start a line of its own.
pub(super) fn read(event: &Event<'_>) -> (Severity, String) {
    let mut parts = Parts::default();
    event.record(&mut parts);
    let severity = match *event.metadata().level() {
        Level::ERROR => Severity::Error,
        Level::WARN => Severity::Warning,
        Level::INFO if parts.notice => Severity::Notice,
        Level::INFO => Severity::Info,
        Level::DEBUG | Level::TRACE => Severity::Debug,
    };
    let text = format!("{}{}", parts.message, parts.fields);
    (severity, text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
}

/// `Nov 20 22:02:06.456 host picket-agent [4711] (hub) info: message`
#[derive(Debug)]
pub(super) struct Lines {
    time: ChronoLocal,
    host: String,
    program: &'static str,
}

impl Lines {
    pub(super) fn new(program: &'static str) -> Self {
        let host = gethostname().map_or_else(|_| "?".to_owned(), |name| name.to_string_lossy().into_owned());
        Self { time: ChronoLocal::new("%b %d %H:%M:%S%.3f".to_owned()), host, program }
    }
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut line: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let module = event.metadata().target().rsplit("::").next().unwrap_or_default();
        let (severity, text) = read(event);
        self.time.format_time(&mut line)?;
        writeln!(
            line,
            " {} {} [{}] ({module}) {severity}: {text}",
            self.host,
            self.program,
            std::process::id()
        )
    }
}
