//! The X.509 mode: clients of every kind against a running agent, and files that cannot work.
#![allow(clippy::unwrap_used, reason = "test helpers")]

use std::path::PathBuf;

use picket_agent::wire::x509::{Files, Store, X509Error};
use picket_tests::parity::certificates;
use picket_tests::pki::{Ca, Kind};

#[test]
fn a_certificate_of_the_ca_gets_in_and_every_other_is_told_why_not() {
    let report = certificates::all(&mut |_| ());
    assert!(report.holds(), "{:#?}", report.shortfalls());
}

/// A server's files in a folder that goes away.
struct Folder(PathBuf);

impl Folder {
    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.0.join(file), text).unwrap();
    }

    fn open(&self) -> Result<Store, X509Error> {
        let file = |name| self.0.join(name);
        Store::open(Files { ca: file("ca"), cert: file("cert"), key: file("key"), crl: Some(file("crl")) })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn credentials_that_cannot_work_are_told_at_the_start() {
    let ca = Ca::new().unwrap();
    let (good, stranger) = (ca.issue(Kind::Good).unwrap(), ca.issue(Kind::Good).unwrap());
    let folder = Folder(std::env::temp_dir().join(format!("picket-x509-{}", std::process::id())));
    std::fs::create_dir_all(&folder.0).unwrap();
    for (file, text) in
        [("ca", &ca.cert), ("cert", &good.cert), ("key", &good.key), ("crl", &ca.revocations().unwrap())]
    {
        folder.write(file, text);
    }
    folder.open().unwrap();
    folder.write("key", &stranger.key);
    assert!(matches!(folder.open(), Err(X509Error::Mismatch { .. })));
    folder.write("key", "");
    assert!(folder.open().unwrap_err().to_string().contains("key"));
    folder.write("ca", "");
    assert!(matches!(folder.open(), Err(X509Error::Nothing { what: "CA certificate", .. })));
    std::fs::remove_file(folder.0.join("ca")).unwrap();
    assert!(matches!(folder.open(), Err(X509Error::Unusable { .. })));
}
