//! Where the password comes from (fence-contract, section 11).

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::deadline::Deadline;
use super::failure::Failure;
use super::input::Values;
use super::secret::Secret;
use super::standard::{PASSWORD, PASSWORD_SCRIPT};

/// A script which takes longer would eat the time of the fencing itself.
const LIMIT: Duration = Duration::from_secs(10);

/// The password: `password_script` before `password`, and `password=@/path` read from that file.
///
/// # Errors
/// The script fails, prints nothing or takes longer than 10 s; the file cannot be read or is empty.
pub async fn read(values: &Values, deadline: Deadline) -> Result<Option<Secret>, Failure> {
    if let Some(script) = values.text(&PASSWORD_SCRIPT) {
        return from_script(script, deadline.within(LIMIT)).await.map(Some);
    }
    let Some(password) = values.text(&PASSWORD) else { return Ok(None) };
    match password.strip_prefix("@/") {
        Some(path) => from_file(&Path::new("/").join(path)).map(Some),
        None => Ok(Some(Secret::new(password))),
    }
}

fn from_file(path: &Path) -> Result<Secret, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Password(format!("cannot read {}: {error}", path.display())))?;
    first_line(&text, &path.display().to_string())
}

async fn from_script(script: &str, limit: Duration) -> Result<Secret, Failure> {
    let failed = |reason: String| Failure::Password(format!("{script}: {reason}"));
    let mut command = if Path::new(script).is_file() {
        Command::new(script)
    } else {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(script);
        shell
    };
    command.stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true);
    let output = match tokio::time::timeout(limit, command.output()).await {
        Err(_) => return Err(failed(format!("timed out after {} s", limit.as_secs()))),
        Ok(Err(error)) => return Err(failed(format!("cannot be run: {error}"))),
        Ok(Ok(output)) => output,
    };
    if !output.status.success() {
        return Err(failed(format!("ended with {}", output.status)));
    }
    let text = String::from_utf8(output.stdout).map_err(|_| failed("printed what is not UTF-8".into()))?;
    first_line(&text, script)
}

fn first_line(text: &str, source: &str) -> Result<Secret, Failure> {
    match text.lines().next().map(str::trim_end).filter(|line| !line.is_empty()) {
        Some(line) => Ok(Secret::new(line)),
        None => Err(Failure::Password(format!("{source} gave an empty password"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute() -> Deadline {
        Deadline::new(tokio::time::Instant::now(), Duration::from_secs(60))
    }

    async fn script(text: &str) -> Result<Option<Secret>, Failure> {
        let mut values = Values::default();
        values.set(&PASSWORD_SCRIPT, "password_script", text).unwrap();
        read(&values, minute()).await
    }

    #[tokio::test]
    async fn the_first_line_of_a_script_is_the_password() {
        let password = script("printf 'pa ss \\nsecond\\n'").await.unwrap().unwrap();
        assert_eq!(password.reveal(), "pa ss");
    }

    #[tokio::test]
    async fn a_script_that_fails_or_prints_nothing_ends_the_run() {
        for bad in ["echo secret; exit 3", "true", "/nonexistent/script"] {
            let failure = script(bad).await.unwrap_err();
            assert_eq!(failure.row().number, 10, "{bad}");
            assert!(!failure.to_string().contains("timed out"));
        }
    }

    #[tokio::test]
    async fn a_script_that_takes_too_long_is_ended() {
        let mut values = Values::default();
        values.set(&PASSWORD_SCRIPT, "password_script", "exec sleep 60").unwrap();
        let soon = Deadline::new(tokio::time::Instant::now(), Duration::from_millis(50));
        let failure = read(&values, soon).await.unwrap_err();
        assert!(failure.to_string().contains("timed out"), "{failure}");
    }

    #[tokio::test]
    async fn a_file_is_named_with_an_at_sign() {
        let mut values = Values::default();
        values.set(&PASSWORD, "password", "@/nonexistent").unwrap();
        assert!(read(&values, minute()).await.is_err());
        values.set(&PASSWORD, "password", "@home").unwrap();
        assert_eq!(read(&values, minute()).await.unwrap().unwrap().reveal(), "@home");
    }
}
