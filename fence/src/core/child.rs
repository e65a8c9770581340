//! Programs that a driver runs: within a limit, in a process group of their own that ends with the call, and with
//! output that is bounded.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use super::fault::Fault;

/// The most that is read of either stream.
const OUTPUT_LIMIT: u64 = 4 * 1024 * 1024;

/// What a program left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Exit status; `None` where a signal ended it.
    pub exit: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

/// Ends everything that the child may have started, on every way out.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0.take() {
            // It has ended by itself, or it is given up.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Runs a program to its end. `call` names it in messages; nothing of its arguments is shown.
///
/// # Errors
/// It cannot be started, does not end within `limit` (which ends it), or prints what nobody would.
pub async fn run(mut command: Command, limit: Duration, call: &str) -> Result<Output, Fault> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| {
        let answer = format!("{}: {error}", command.as_std().get_program().to_string_lossy());
        Fault::unsupported(call, answer, "install it on this node, or set its path")
    })?;
    let _group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
    match tokio::time::timeout(limit, finish(&mut child)).await {
        Err(_) => Err(Fault::TimedOut { call: call.to_owned(), limit }),
        Ok(Err(error)) => Err(Fault::Lost { call: call.to_owned(), answer: error.to_string() }),
        Ok(Ok((_, stdout, _))) if stdout.len() as u64 > OUTPUT_LIMIT => {
            Err(Fault::malformed(call, format!("it is longer than {OUTPUT_LIMIT} bytes")))
        }
        Ok(Ok((exit, stdout, stderr))) => {
            let stdout = String::from_utf8(stdout).map_err(|_| Fault::malformed(call, "it is not UTF-8"))?;
            Ok(Output { exit, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() })
        }
    }
}

async fn finish(child: &mut Child) -> std::io::Result<(Option<i32>, Vec<u8>, Vec<u8>)> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (stdout, stderr) = tokio::try_join!(all(stdout), all(stderr))?;
    Ok((child.wait().await?.code(), stdout, stderr))
}

async fn all(stream: Option<impl AsyncRead + Unpin>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        // Beyond the limit it is not read on: the program's own end is not worth waiting for then.
        stream.take(OUTPUT_LIMIT + 1).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sh(script: &str, limit: Duration) -> Result<Output, Fault> {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(script);
        run(command, limit, "sh").await
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn status_and_both_streams_come_back() {
        let output = sh("echo out; echo err >&2; exit 3", LONG).await.unwrap();
        let expected = Output { exit: Some(3), stdout: "out\n".into(), stderr: "err\n".into() };
        assert_eq!(output, expected);
        assert_eq!(sh("kill -9 $$", LONG).await.unwrap().exit, None);
    }

    #[tokio::test]
    async fn what_takes_too_long_is_told_so() {
        let fault = sh("exec sleep 1000", Duration::from_millis(10)).await.unwrap_err();
        assert!(matches!(fault, Fault::TimedOut { .. }), "{fault}");
    }

    #[tokio::test]
    async fn what_is_given_up_is_ended_with_all_that_it_started() {
        let file = std::env::temp_dir().join(format!("picket-fence-child-{}", std::process::id()));
        let script = format!("sleep 1000 & printf '%s\\n' $! $$ end >{}; wait", file.display());
        let started = async {
            loop {
                let text = std::fs::read_to_string(&file).unwrap_or_default();
                if let Some(pids) = text.strip_suffix("end\n") {
                    return pids.to_owned();
                }
                tokio::task::yield_now().await;
            }
        };
        let pids = tokio::select! {
            result = sh(&script, LONG) => panic!("it ended by itself: {result:?}"),
            pids = started => pids,
        };
        std::fs::remove_file(&file).unwrap();
        assert_eq!(pids.lines().count(), 2);
        let gone = |pid: &str| {
            let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            state.is_empty() || state.contains(") Z ")
        };
        let end = std::time::Instant::now() + LONG;
        for pid in pids.lines() {
            while !gone(pid) {
                assert!(std::time::Instant::now() < end, "process {pid} lives on");
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn a_flood_is_cut_off_and_a_missing_program_named() {
        let fault = sh("exec cat /dev/zero", LONG).await.unwrap_err();
        assert!(matches!(fault, Fault::Malformed { .. }), "{fault}");
        let missing = run(Command::new("/nonexistent/ssh"), LONG, "ssh").await.unwrap_err();
        assert!(missing.to_string().contains("/nonexistent/ssh"), "{missing}");
    }
}
