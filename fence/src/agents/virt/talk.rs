//! What is said over a connection: who knows the key, and then the answer.
//!
//! Both sides prove that they know the key, the host first: whoever cannot is not listened to. A serial line has no
//! proof, and a mark before each answer.

use std::io::ErrorKind;

use ring::rand::{SecureRandom, SystemRandom};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::packet::{self, DIGEST, Hash, Host, Key, LIST, MAGIC, RECORD};
use crate::core::fault::Fault;

/// The most domains that a list may have: more than a host can run.
const MOST: usize = 65_536;

/// A connection to a daemon.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// What both sides know.
pub(super) struct Secrets {
    /// For the proof.
    pub(super) auth: Hash,
    /// For the signature of requests.
    pub(super) hash: Hash,
    pub(super) key: Key,
}

/// What a daemon answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// 0 is success or on, 1 failure, 2 off, 3 not permitted.
    Byte(u8),
    /// All domains that we may see.
    Hosts(Vec<Host>),
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Flaw {
    /// The connection ended.
    #[error("it was closed")]
    Closed,
    /// The connection failed.
    #[error("{0}")]
    Broken(String),
    /// The other side does not know the key.
    #[error("it does not know the key")]
    Stranger,
    /// The answer is none.
    #[error("{0}")]
    Nonsense(String),
}

impl Flaw {
    /// What became of a request.
    pub(super) fn fault(self, call: &str) -> Fault {
        let call = call.to_owned();
        match self {
            Self::Closed | Self::Broken(_) => Fault::Lost { call, answer: self.to_string() },
            Self::Stranger => Fault::Denied {
                call,
                answer: "the daemon does not know the key: see key_file and auth".into(),
            },
            Self::Nonsense(answer) => Fault::Malformed { call, answer },
        }
    }
}

impl From<std::io::Error> for Flaw {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Broken(error.to_string()),
        }
    }
}

/// Random bytes.
pub(super) fn random<const N: usize>() -> Result<[u8; N], Flaw> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| Flaw::Broken("this machine has no random numbers".to_owned()))?;
    Ok(bytes)
}

/// Sends a request.
pub(super) async fn send(stream: &mut dyn Stream, message: &[u8]) -> Result<(), Flaw> {
    stream.write_all(message).await?;
    Ok(stream.flush().await?)
}

/// Has the other side prove that it knows the key, and only then proves that we do.
pub(super) async fn prove(stream: &mut dyn Stream, secrets: &Secrets) -> Result<(), Flaw> {
    if secrets.auth == Hash::None {
        return Ok(());
    }
    let ours = random::<DIGEST>()?;
    send(stream, &ours).await?;
    let mut proof = [0; DIGEST];
    stream.read_exact(&mut proof).await?;
    // The challenge is used once, so that nothing can be learned from how long the comparison takes.
    if proof != secrets.auth.digest(&secrets.key, &ours) {
        return Err(Flaw::Stranger);
    }
    let mut theirs = [0; DIGEST];
    stream.read_exact(&mut theirs).await?;
    // Its own challenge back would have us say what it has to know.
    if theirs == ours {
        return Err(Flaw::Stranger);
    }
    send(stream, &secrets.auth.digest(&secrets.key, &theirs)).await
}

/// Reads the answer. A list is whole, or none.
pub(super) async fn reply(stream: &mut dyn Stream) -> Result<Reply, Flaw> {
    match byte(stream).await? {
        LIST => {
            let hosts = hosts(stream).await?;
            match byte(stream).await? {
                0 => Ok(Reply::Hosts(hosts)),
                other => Err(Flaw::Nonsense(format!("the list of domains ends with {other}"))),
            }
        }
        byte => Ok(Reply::Byte(byte)),
    }
}

/// Reads the answer from a serial line, on which there may be rubbish before it.
pub(super) async fn serial_reply(stream: &mut dyn Stream) -> Result<Reply, Flaw> {
    mark(stream).await?;
    match byte(stream).await? {
        LIST => {
            let hosts = hosts(stream).await?;
            mark(stream).await?;
            match byte(stream).await? {
                0 => Ok(Reply::Hosts(hosts)),
                other => Err(Flaw::Nonsense(format!("the list of domains ends with {other}"))),
            }
        }
        byte => Ok(Reply::Byte(byte)),
    }
}

async fn byte(stream: &mut dyn Stream) -> Result<u8, Flaw> {
    Ok(stream.read_u8().await?)
}

/// Reads up to the mark that an answer begins with.
async fn mark(stream: &mut dyn Stream) -> Result<(), Flaw> {
    let mut last = [0; MAGIC.len()];
    while last != MAGIC {
        last.rotate_left(1);
        last[MAGIC.len() - 1] = byte(stream).await?;
    }
    Ok(())
}

async fn hosts(stream: &mut dyn Stream) -> Result<Vec<Host>, Flaw> {
    let mut hosts = Vec::new();
    let mut record = [0; RECORD];
    loop {
        stream.read_exact(&mut record).await?;
        match packet::host(&record) {
            Ok(Some(host)) => hosts.push(host),
            Ok(None) => return Ok(hosts),
            Err(why) => return Err(Flaw::Nonsense(why.to_owned())),
        }
        if hosts.len() > MOST {
            return Err(Flaw::Nonsense("the list of domains has no end".to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::packet::read::record;
    use super::*;

    const UUID: &str = "6695eb01-f6a4-8304-79aa-97f2502e193f";

    async fn read(bytes: &[u8]) -> Result<Reply, Flaw> {
        reply(&mut tokio::io::join(bytes, tokio::io::sink())).await
    }

    #[tokio::test]
    async fn a_list_is_whole_or_none() {
        let list = [&[LIST][..], &record("vm1", UUID, 5), &[0; RECORD], &[0]].concat();
        let Ok(Reply::Hosts(hosts)) = read(&list).await else { panic!("no list") };
        assert_eq!((hosts.len(), hosts[0].name.as_str(), hosts[0].state), (1, "vm1", 5));
        for length in 0..list.len() {
            assert_eq!(read(&list[..length]).await, Err(Flaw::Closed), "{length}");
        }
        let failed = [&list[..list.len() - 1], &[1]].concat();
        assert!(matches!(read(&failed).await, Err(Flaw::Nonsense(_))));
        let garbled = [&[LIST][..], &[b'x'; RECORD], &[0; RECORD], &[0]].concat();
        assert!(matches!(read(&garbled).await, Err(Flaw::Nonsense(_))));
        assert_eq!(read(&[2]).await, Ok(Reply::Byte(2)));
    }

    #[tokio::test]
    async fn on_a_serial_line_rubbish_before_the_mark_is_passed_over() {
        let bytes = [b"login: aabba".as_slice(), &[2]].concat();
        let mut stream = tokio::io::join(bytes.as_slice(), tokio::io::sink());
        assert_eq!(serial_reply(&mut stream).await, Ok(Reply::Byte(2)));
        let list = [&MAGIC[..], &[LIST], &record("vm1", UUID, 1), &[0; RECORD], &MAGIC, &[0]].concat();
        let mut stream = tokio::io::join(list.as_slice(), tokio::io::sink());
        assert!(matches!(serial_reply(&mut stream).await, Ok(Reply::Hosts(hosts)) if hosts.len() == 1));
    }

    #[tokio::test]
    async fn nobody_gets_our_proof_without_one_of_its_own() {
        let secrets = Secrets { auth: Hash::Sha256, hash: Hash::Sha256, key: Key::new(b"key".to_vec()) };
        let (mut ours, mut theirs) = tokio::io::duplex(1024);
        let stranger = async {
            let mut challenge = [0; DIGEST];
            theirs.read_exact(&mut challenge).await.unwrap();
            // It sends our challenge back for a proof, and asks for a proof of it.
            theirs.write_all(&[challenge, challenge].concat()).await.unwrap();
            drop(theirs.shutdown().await);
            let mut rest = Vec::new();
            theirs.read_to_end(&mut rest).await.unwrap();
            rest
        };
        let proving = async {
            let result = prove(&mut ours, &secrets).await;
            drop(ours);
            result
        };
        let (rest, result) = tokio::join!(stranger, proving);
        assert_eq!((result, rest), (Err(Flaw::Stranger), vec![]));
    }
}
