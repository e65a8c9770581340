//! TLS clients that know nothing of us: `gnutls-cli` and `openssl s_client`.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::peer::Peer;

/// A stranger that hangs is not waited for.
const LIMIT: Duration = Duration::from_secs(8);

/// What GnuTLS peers offer for a pre-shared key.
pub(super) const PACEMAKER: &str = "NORMAL:+DHE-PSK:+PSK";

/// TLS 1.3 with one cipher.
pub(super) fn only_cipher(cipher: &str) -> String {
    format!("NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+{cipher}:+DHE-PSK:+PSK")
}

/// TLS 1.3 with one group.
pub(super) fn only_group(group: &str) -> String {
    format!("NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-{group}:+DHE-PSK:+PSK")
}

/// What came of a handshake.
pub(super) struct Handshake {
    /// Whether it was completed.
    pub(super) done: bool,
    /// What was negotiated, or what the stranger complained of.
    pub(super) words: String,
}

/// `gnutls-cli` with the agent's key.
pub(super) fn gnutls(peer: &Peer, priority: &str, identity: &str) -> Result<Handshake> {
    let key = hex(&fs::read(&peer.key).with_context(|| format!("read {}", peer.key.display()))?);
    gnutls_with(peer, &["--priority", priority, "--pskusername", identity, "--pskkey", &key])
}

/// `gnutls-cli` with these arguments.
pub(super) fn gnutls_with(peer: &Peer, arguments: &[&str]) -> Result<Handshake> {
    let (address, port) = (peer.addr.ip().to_string(), peer.addr.port().to_string());
    let command = [&["gnutls-cli", "--no-ca-verification", "--port", &port], arguments, &[&address]].concat();
    let output = peer.host.run_within(LIMIT, &command)?;
    let said = output.stdout + &output.stderr;
    let line = |start: &str| said.lines().find_map(|line| line.trim().strip_prefix(start));
    let done = said.contains("Handshake was completed");
    let words = line("- Description: ")
        .or(line("*** Fatal error: "))
        .map_or_else(|| format!("{}: {}", output.status, said.trim()), str::to_owned);
    Ok(Handshake { done, words })
}

/// `openssl s_client` with these arguments, which has to negotiate this version.
pub(super) fn openssl(peer: &Peer, version: &str, arguments: &[&str]) -> Result<Handshake> {
    let address = peer.addr.to_string();
    let command = [&["openssl", "s_client", "-connect", &address], arguments].concat();
    let output = peer.host.run_within(LIMIT, &command)?;
    let said = output.stdout + &output.stderr;
    let line = |part: &str| said.lines().find(|line| line.contains(part)).map(|line| line.trim().to_owned());
    // The cipher is known after the server's hello; an alert tells of what came later.
    let agreed = line(&format!(", {version}, Cipher is "));
    let done = output.status.success() && agreed.is_some() && !said.contains("alert");
    Ok(Handshake { done, words: line("alert").or(agreed).or(line("has read")).unwrap_or(said) })
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        text
    })
}
