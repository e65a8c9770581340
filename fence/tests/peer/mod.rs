//! Servers that nobody here wrote, started for a test and gone with it, and our program run against them.

#![allow(dead_code, reason = "every test takes what it needs")]

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a server may take to answer; the slowest one here takes 2 s on an idle machine.
const READY: Duration = Duration::from_secs(60);

/// What came of running an agent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) exit: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// Asserts how it ended and what it printed; `what` was asked for.
    #[track_caller]
    pub(crate) fn is(&self, exit: i32, stdout: &str, what: &str) {
        assert_eq!((self.exit, self.stdout.as_str()), (exit, stdout), "{what}: {}", self.stderr);
    }
}

/// Runs an agent the way the fencer does: no arguments, options on stdin.
pub(crate) fn agent(name: &str, options: &str) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_picket-fence"));
    command.arg0(name);
    fed(command, options)
}

/// Runs a command with that on stdin.
pub(crate) fn fed(mut command: Command, options: &str) -> Run {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(options.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Run {
        exit: output.status.code().expect("an agent never dies by a signal"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A script of `tests/servers`.
pub(crate) fn script(name: &str) -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers").join(name))
}

/// Runs a command to its end and gives its output without the last line break.
pub(crate) fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// A folder under target/ that goes away with the test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// `cert.pem` and `key.pem` for 127.0.0.1, signed by itself.
    pub(crate) fn certificate(&self) {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        std::fs::write(self.0.join("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(self.0.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The Python packages, installed once under target/.
pub(crate) fn venv(packages: &[&str]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("venv-{}", packages[0]));
    output(script("venv").arg(&path).args(packages));
    path
}

/// A running server; ended by SIGTERM, and waited for.
pub(crate) struct Server {
    child: Child,
    /// Where the pid of the first process of its namespace is: with that, all in there ends.
    inside: Option<PathBuf>,
}

impl Server {
    /// Starts it and waits until `ready`.
    pub(crate) fn start(command: &mut Command, log: &Path, ready: impl FnMut() -> bool) -> Self {
        Self::start_within(READY, command, log, ready)
    }

    /// The same for one that is built first.
    pub(crate) fn start_slow(command: &mut Command, log: &Path, ready: impl FnMut() -> bool) -> Self {
        Self::start_within(READY * 10, command, log, ready)
    }

    fn start_within(
        limit: Duration,
        command: &mut Command,
        log: &Path,
        mut ready: impl FnMut() -> bool,
    ) -> Self {
        let log = std::fs::File::create(log).unwrap();
        let child =
            command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let mut server = Self { child, inside: None };
        let end = Instant::now() + limit;
        while !ready() {
            assert!(Instant::now() < end, "{command:?} is not ready after {limit:?}");
            assert!(server.child.try_wait().unwrap().is_none(), "{command:?} ended");
            // A server without a ready signal can only be asked again.
            std::thread::park_timeout(Duration::from_millis(50));
        }
        server
    }
}

impl Server {
    /// One that lives in namespaces of its own and has written this file.
    pub(crate) fn inside(mut self, pid: &str) -> Self {
        self.inside = Some(pid.into());
        self
    }

    /// Whether a process, as it is called in the server's namespace, is there.
    pub(crate) fn lives(&self, pid: &str) -> bool {
        self.pid().is_some_and(|init| Path::new(&format!("/proc/{init}/root/proc/{pid}")).exists())
    }

    /// The first process of its namespace.
    pub(crate) fn pid(&self) -> Option<i32> {
        let text = std::fs::read_to_string(self.inside.as_ref()?).ok()?;
        text.trim().parse().ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = match self.pid().and_then(Pid::from_raw) {
            // What is around it waits for its end.
            Some(init) => kill_process(init, Signal::KILL),
            None => kill_process(Pid::from_child(&self.child), Signal::TERM),
        };
        let _ = self.child.wait();
    }
}

/// A port of the loopback that nobody uses at present.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Whether somebody listens there.
pub(crate) fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}
