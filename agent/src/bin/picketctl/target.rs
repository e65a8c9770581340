//! Which agent is meant, and how it is reached.

use std::str::FromStr;
use std::time::Duration;

use picket_agent::controller::{Controller, ControllerError, Link, dial};
use picket_agent::watchdog;
use picket_agent::wire::message::WireError;
use picket_agent::wire::peek::Found;
use picket_agent::wire::socket::{Liveness, Socket, Tuning};
use picket_agent::wire::tls::Role;
use picket_agent::wire::x509;
use tokio::net::TcpStream;

use crate::credential::{Credential, Credentials};
use crate::failure::Failure;

#[derive(clap::Args)]
pub(crate) struct Target {
    /// Where the agent is: db1, 10.1.2.3, db1:3122, [fd00::7]:3121
    #[arg(value_name = "HOST[:PORT]")]
    pub(crate) address: Address,
    #[command(flatten)]
    credentials: Credentials,
    /// How long to wait for the connection: 500ms, 5s
    #[arg(long = "wait", value_name = "TIME", default_value = "10s", value_parser = duration)]
    limit: Duration,
}

impl Target {
    /// Connects by TCP.
    pub(crate) async fn dial(&self) -> Result<TcpStream, Failure> {
        let Address { host, port } = &self.address;
        dial(host, *port, self.limit).await.map_err(Failure::connection)
    }

    /// What to prove to it.
    pub(crate) fn credential(&self) -> Result<Credential, Failure> {
        self.credentials.load()
    }

    /// Finds out what listens there, without anybody else noticing.
    pub(crate) async fn peek(&self, stream: TcpStream, credential: &Credential) -> Result<Found, Failure> {
        let socket = Socket::new(stream, Tuning::Prompt, Liveness::default())?;
        let found = credential.peek(socket, self.limit).await;
        found.map_err(|cause| Failure::handshake(self.address.to_string(), credential.name(), cause))
    }

    /// Connects, in the role of a cluster or of an observer.
    pub(crate) async fn open(&self, credential: &Credential, role: Role) -> Result<Controller, Failure> {
        let stream = self.dial().await?;
        let link = Link::open(stream, credential.proof(), role, Tuning::Prompt, self.limit).await;
        let link =
            link.map_err(|cause| Failure::handshake(self.address.to_string(), credential.name(), cause))?;
        Ok(Controller::new(link))
    }

    /// Says where a conversation broke off.
    pub(crate) fn lost(&self, cause: ControllerError) -> Failure {
        let target = self.address.to_string();
        if let ControllerError::Wire(WireError::Lost(error)) = &cause
            && let Some(words) = x509::refusal_of(error)
        {
            return Failure::WrongCertificate { target, cause: format!("refuses us: {words}") };
        }
        Failure::Lost { target, cause }
    }
}

/// Host and port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, port)) => {
                (host, Some(port.strip_prefix(':').ok_or("what is behind ] is not :PORT")?))
            }
            None => match text.split_once(':') {
                // More than one colon without brackets: an IPv6 address.
                Some((_, rest)) if rest.contains(':') => (text, None),
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        if host.is_empty() {
            return Err("there is no host in it".into());
        }
        let port = match port {
            None => picket_proto::PORT,
            Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or("the port is from 1 to 65535")?,
        };
        Ok(Self { host: host.to_owned(), port })
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// A time as the cluster's configuration writes it: 500ms, 20s, 2min; seconds without a unit. Not zero.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let ms = watchdog::duration(text).and_then(|ms| u64::try_from(ms).ok()).filter(|ms| *ms > 0);
    ms.map(Duration::from_millis)
        .ok_or_else(|| "expected a time above zero such as 500ms, 20s or 2min".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_every_spelling() {
        let address = |host: &str, port| Ok(Address { host: host.into(), port });
        assert_eq!("db1".parse(), address("db1", 3121));
        assert_eq!("10.1.2.3:99".parse(), address("10.1.2.3", 99));
        assert_eq!("fd00::7".parse(), address("fd00::7", 3121));
        assert_eq!("[fd00::7]".parse(), address("fd00::7", 3121));
        assert_eq!("[fd00::7]:99".parse::<Address>().map(|a| a.to_string()), Ok("[fd00::7]:99".into()));
        for bad in ["", ":3121", "db1:", "db1:0", "db1:70000", "[fd00::7]99"] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }

    #[test]
    fn times_are_read_and_zero_is_none() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("20"), Ok(Duration::from_secs(20)));
        assert_eq!(duration("2min"), Ok(Duration::from_secs(120)));
        assert!(duration("0").is_err() && duration("soon").is_err());
    }
}
