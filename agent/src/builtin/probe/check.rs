//! The kinds of checks.

use std::fmt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use tokio::net::{TcpStream, UnixStream};

use super::super::values::Values;
use super::super::words;
use super::http::Url;

/// What is checked.
#[derive(Debug)]
pub(super) enum Check {
    Command(Vec<String>),
    File { path: PathBuf, max_age: Duration },
    Http { url: Url, statuses: std::ops::RangeInclusive<u16>, body: Option<String>, ca: Option<PathBuf> },
    Tcp(String),
    Unix(PathBuf),
}

impl Check {
    /// Reads the parameters.
    ///
    /// # Errors
    /// What cannot be used, in words.
    pub(super) fn read(values: &Values) -> Result<Self, String> {
        let target = values.text("target").unwrap_or_default().trim();
        let wrong = |expected: &str| format!("target is \"{target}\", which is not {expected}");
        match values.text("check").unwrap_or_default() {
            "command" => {
                let words =
                    words::split(target).map_err(|error| format!("target is \"{target}\", and {error}"))?;
                if words.is_empty() { Err(wrong("a command")) } else { Ok(Self::Command(words)) }
            }
            "file" => {
                let max_age = values.time("max_age").unwrap_or(Duration::from_secs(60));
                Ok(Self::File { path: target.into(), max_age })
            }
            "http" => {
                let url = Url::parse(target).ok_or_else(|| wrong("an http or https URL"))?;
                let text = values.text("expect_status").unwrap_or("200-399");
                let statuses =
                    range(text).ok_or_else(|| format!("expect_status is \"{text}\", which is no range"))?;
                let ca = values.text("ca_file").map(PathBuf::from);
                if url.is_secure && ca.is_none() {
                    return Err("https needs ca_file".to_owned());
                }
                Ok(Self::Http { url, statuses, body: values.text("expect_body").map(str::to_owned), ca })
            }
            "tcp" => {
                let port = target.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
                port.map(|_| Self::Tcp(target.to_owned())).ok_or_else(|| wrong("HOST:PORT"))
            }
            "unix" => Ok(Self::Unix(target.into())),
            other => Err(format!("there is no check \"{other}\"")),
        }
    }

    /// Whether it is as it should be; if not, why.
    pub(super) async fn carry_out(&self) -> Result<(), String> {
        match self {
            Self::Command(words) => command(words).await,
            Self::File { path, max_age } => {
                let changed =
                    tokio::fs::metadata(path).await.and_then(|file| file.modified()).map_err(said)?;
                // A time in the future is a clock that was set back: young enough.
                let age = SystemTime::now().duration_since(changed).unwrap_or_default();
                if age <= *max_age { Ok(()) } else { Err(format!("last changed {} s ago", age.as_secs())) }
            }
            Self::Http { url, statuses, body, ca } => {
                let answer = url.fetch(ca.as_deref()).await?;
                if !statuses.contains(&answer.status) {
                    return Err(format!("answered with status {}", answer.status));
                }
                match body {
                    Some(text) if !answer.body.contains(text) => {
                        Err(format!("the answer does not contain \"{text}\""))
                    }
                    _ => Ok(()),
                }
            }
            Self::Tcp(address) => TcpStream::connect(address).await.map(drop).map_err(said),
            Self::Unix(path) => UnixStream::connect(path).await.map(drop).map_err(said),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
fn said(error: std::io::Error) -> String {
    error.to_string()
}

async fn command(words: &[String]) -> Result<(), String> {
    let mut command = tokio::process::Command::new(&words[0]);
    command
        .args(&words[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let status = command.status().await.map_err(said)?;
    if status.success() { Ok(()) } else { Err(format!("ended with {status}")) }
}

fn range(text: &str) -> Option<std::ops::RangeInclusive<u16>> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (from, to) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
    (from <= to).then_some(from..=to)
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(words) => f.write_str(&words.join(" ")),
            Self::File { path, .. } | Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Http { url, .. } => write!(f, "{url}"),
            Self::Tcp(address) => f.write_str(address),
        }
    }
}
