//! Where the password comes from (fence-contract, section 11).

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

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
pub async fn read(values: &Values) -> Result<Option<Secret>, Failure> {
    if let Some(script) = values.text(&PASSWORD_SCRIPT) {
        return from_script(script).await.map(Some);
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

async fn from_script(script: &str) -> Result<Secret, Failure> {
    let failed = |reason: String| Failure::Password(format!("{script}: {reason}"));
    let mut command = if Path::new(script).is_file() {
        Command::new(script)
    } else {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(script);
        shell
    };
    command.stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true);
    let output = match tokio::time::timeout(LIMIT, command.output()).await {
        Err(_) => return Err(failed(format!("timed out after {} s", LIMIT.as_secs()))),
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

    async fn script(text: &str) -> Result<Option<Secret>, Failure> {
        let mut values = Values::default();
        values.set(&PASSWORD_SCRIPT, "password_script", text).unwrap();
        read(&values).await
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
    async fn a_file_is_named_with_an_at_sign() {
        let mut values = Values::default();
        values.set(&PASSWORD, "password", "@/nonexistent").unwrap();
        assert!(read(&values).await.is_err());
        values.set(&PASSWORD, "password", "@home").unwrap();
        assert_eq!(read(&values).await.unwrap().unwrap().reveal(), "@home");
    }
}
