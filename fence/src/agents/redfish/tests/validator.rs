//! The mock before DMTF's own Redfish-Protocol-Validator (<https://github.com/DMTF/Redfish-Protocol-Validator>): what the
//! driver is tried with must be a Redfish service, or the tests prove nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Bmc;
use crate::core::output;
use crate::testing::World;
use crate::testing::server::Server;
use crate::testing::tls::{Flaw, TempFile, identity};

/// The mock over TLS in a thread of its own, until this is dropped.
struct Service {
    port: u16,
    ca: TempFile,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Service {
    fn start() -> Self {
        let identity = identity(Flaw::None);
        let ca = TempFile::new("validator", &identity.ca_pem);
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let world = World::new(true, None);
                let server =
                    Server::start(world, Box::new(Bmc::default()), None, Some(identity.acceptor)).await;
                tell.send(server.port).unwrap();
                let _ = stopped.await;
            });
        });
        Self { port: told.recv().unwrap(), ca, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop.take();
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

#[test]
#[ignore = "needs DMTF's validator: make show-fence"]
fn the_mock_is_a_redfish_service_by_the_validator_of_dmtf() {
    // Where integration tests keep theirs; a unit test is not told.
    let own = std::env::current_exe().unwrap();
    let kept = own.ancestors().nth(3).unwrap().join("tmp");
    let venv = kept.join("venv-redfish-protocol-validator");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/venv");
    assert!(Command::new(script).arg(&venv).arg("redfish-protocol-validator").status().unwrap().success());
    let service = Service::start();
    let reports = Reports(kept.join(format!("validator-{}", std::process::id())));
    let run = Command::new(venv.join("bin/rf_protocol_validator"))
        .args(["--user", "u", "--password", "p", "--report-type", "tsv", "--avoid-http-redirect"])
        .args(["--rhost", &format!("https://127.0.0.1:{}", service.port)])
        .arg("--ca-bundle")
        .arg(&service.ca.0)
        // Some of its requests do not know of the bundle.
        .env("REQUESTS_CA_BUNDLE", &service.ca.0)
        .arg("--report-dir")
        .arg(&reports.0)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    let count = |word: &str| -> usize {
        let rest = said.split_once(&format!("{word}: ")).unwrap_or_else(|| panic!("{said}")).1;
        rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
    };
    let (passed, failed) = (count("PASS"), count("FAIL"));
    output::stdout(&format!("validator of DMTF: {passed} assertions hold, {failed} do not\n"));
    assert!(failed == 0 && passed > 150, "{}", reports.failures());
}

/// Its reports, gone with the test.
struct Reports(PathBuf);

impl Reports {
    fn failures(&self) -> String {
        let files = std::fs::read_dir(&self.0).into_iter().flatten().flatten();
        let texts: String = files.filter_map(|file| std::fs::read_to_string(file.path()).ok()).collect();
        texts.lines().filter(|line| line.contains("\tFAIL\t")).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Reports {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
