//! TLS with strangers: `gnutls-cli` and `openssl s_client`.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{Behavior, Cost};
use crate::agent::Agent;
use crate::parity::bench::Bench;
use crate::parity::client::Client;
use crate::parity::stranger::{PACEMAKER, gnutls, gnutls_with, hex, only_cipher, only_group, openssl};
use crate::peer::Peer;
use crate::pki::{Ca, Kind};

pub(super) const TABLE: &[Behavior] = &[
    Behavior::both(6, "GnuTLS and OpenSSL clients with the key: TLS 1.3", strangers).costs(Cost::Agent),
    Behavior::both(7, "single ciphers and groups work, AES-256-GCM does not", restricted),
    Behavior::both(8, "TLS 1.2 works if it is offered at all, is refused at once if not", old_tls)
        .costs(Cost::Agent),
    Behavior::both(9, "wrong key: closed with an alert, others are served", wrong_key),
    Behavior::differs(
        10,
        "an identity other than lrmd is refused",
        identity,
        "3.0.2 is the first to look at it",
    ),
    Behavior::ours(15, "X.509: certificate of the CA works, nothing else does", x509, "2.1.5 knows no X.509"),
];

fn strangers(bench: &Bench) -> Result<String> {
    let peer = bench.peer()?;
    ensure!(fs::read(&peer.key)?.len() == 4096);
    let gnutls = gnutls(&peer, PACEMAKER, "lrmd")?;
    ensure!(gnutls.done && gnutls.words.contains("TLS1.3"), "gnutls-cli: {}", gnutls.words);
    let (short, key) = short_key(bench)?;
    let openssl = openssl(&short, "TLSv1.3", &["-tls1_3", "-psk", &key, "-psk_identity", "lrmd"])?;
    ensure!(openssl.done, "openssl s_client: {}", openssl.words);
    Ok(format!("{}; {}", gnutls.words, openssl.words))
}

/// An agent with a key that OpenSSL can take, which are 512 bytes at most.
fn short_key(bench: &Bench) -> Result<(Peer, String)> {
    let (network, host) = bench.host()?;
    fs::write(host.disk("/etc/pacemaker/authkey"), b"\0a short key\n with zeros \0 and newlines\n")?;
    let peer = bench.launch_on(&network, &host, &[], &[], 3121)?;
    let key = hex(&fs::read(&peer.key)?);
    Ok((peer, key))
}

fn restricted(bench: &Bench) -> Result<String> {
    let peer = bench.peer()?;
    let mut words = Vec::new();
    let work = [
        only_cipher("CHACHA20-POLY1305"),
        only_cipher("AES-128-GCM"),
        only_group("X25519"),
        only_group("SECP256R1"),
    ];
    for priority in work {
        let handshake = gnutls(&peer, &priority, "lrmd")?;
        ensure!(handshake.done, "{priority}: {}", handshake.words);
        words.push(handshake.words);
    }
    let refused = gnutls(&peer, &only_cipher("AES-256-GCM"), "lrmd")?;
    ensure!(!refused.done, "AES-256-GCM: {}", refused.words);
    Ok(words.join(", "))
}

/// Picket-agent offers TLS 1.3 alone: every peer since GnuTLS 3.6.3 (2018) speaks it.
fn old_tls(bench: &Bench) -> Result<String> {
    // With gnutls-cli 3.7.9, which crashes after any TLS 1.2 handshake with a pre-shared key, this cannot be seen.
    let (peer, key) = short_key(bench)?;
    let mut words = Vec::new();
    for cipher in ["DHE-PSK-AES256-GCM-SHA384", "PSK-AES256-GCM-SHA384"] {
        let started = Instant::now();
        let arguments = ["-tls1_2", "-cipher", cipher, "-psk", &key, "-psk_identity", "lrmd"];
        let handshake = openssl(&peer, "TLSv1.2", &arguments)?;
        let offered = bench.agent == Agent::Original;
        ensure!(handshake.done == offered, "{cipher}: {}", handshake.words);
        ensure!(started.elapsed() < Duration::from_secs(3), "{cipher}: after {:.1?}", started.elapsed());
        words.push(handshake.words);
    }
    Client::join(&peer, "t")?.poke()?;
    Ok(words.join("; "))
}

fn wrong_key(bench: &Bench) -> Result<String> {
    let peer = bench.peer()?;
    let mut other = bench.client()?;
    let refused =
        gnutls_with(&peer, &["--priority", PACEMAKER, "--pskusername", "lrmd", "--pskkey", "00112233"])?;
    ensure!(!refused.done, "{}", refused.words);
    other.poke()?.is("lrmd_rc", 0)?;
    Ok(refused.words)
}

fn identity(bench: &Bench) -> Result<String> {
    let refused = gnutls(&*bench.peer()?, PACEMAKER, "another")?;
    ensure!(!refused.done, "{}", refused.words);
    Ok(refused.words)
}

fn x509(bench: &Bench) -> Result<String> {
    let (network, host) = bench.host()?;
    let (ca, other) = (Ca::new()?, Ca::new()?);
    host.write("/run/pki/ca.pem", &ca.cert)?;
    for (name, issuer) in [("host", &ca), ("client", &ca), ("stranger", &other)] {
        let identity = issuer.issue(Kind::Good)?;
        host.write(&format!("/run/pki/{name}.pem"), &identity.cert)?;
        host.write(&format!("/run/pki/{name}.key"), &identity.key)?;
    }
    let files = [
        ("PCMK_ca_file", "/run/pki/ca.pem"),
        ("PCMK_cert_file", "/run/pki/host.pem"),
        ("PCMK_key_file", "/run/pki/host.key"),
    ];
    let peer = bench.launch_on(&network, &host, &[], &files, 3121)?;
    let mine = |name: &str| [format!("/run/pki/{name}.pem"), format!("/run/pki/{name}.key")];
    let [cert, key] = mine("client");
    let right = openssl(&peer, "TLSv1.3", &["-cert", &cert, "-key", &key])?;
    ensure!(right.done, "openssl s_client: {}", right.words);
    let right = gnutls_with(&peer, &["--x509certfile", &cert, "--x509keyfile", &key])?;
    ensure!(right.done, "gnutls-cli: {}", right.words);

    let [cert, key] = mine("stranger");
    let refused = [("another CA's", &["-cert", &cert, "-key", &key, "-ign_eof"][..]), ("no", &["-ign_eof"])];
    for (whose, arguments) in refused {
        let handshake = openssl(&peer, "TLSv1.3", arguments)?;
        ensure!(!handshake.done, "{whose} certificate: {}", handshake.words);
    }
    ensure!(Client::connect(&peer).is_err(), "a client with the key came in");
    Ok(format!("{}; without, another CA's and a key: refused", right.words))
}
