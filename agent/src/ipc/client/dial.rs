//! Finding the server of a name, and making sure that it is one.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::{Group, User};

use super::ClientError;
use crate::ipc::datagram::address;
use crate::ipc::door::{SOCKET_FOLDERS, files_are_forced};
use crate::ipc::peer::{CLUSTER_GROUP, CLUSTER_USER};

/// Connects, by file where libqb is told to use files.
pub(super) fn dial(name: &str) -> Result<UnixStream, ClientError> {
    let connected = if files_are_forced() { by_file(name) } else { by_name(name) };
    let stream = connected.map_err(|cause| ClientError::Connect { name: name.to_owned(), cause })?;
    let server = getsockopt(&stream, sockopt::PeerCredentials).map_err(io::Error::from)?;
    if is_trusted(server.uid(), server.gid()) {
        Ok(stream)
    } else {
        Err(ClientError::Stranger { name: name.to_owned(), uid: server.uid() })
    }
}

fn by_name(name: &str) -> io::Result<UnixStream> {
    UnixStream::connect_addr(&address(name)?)
}

fn by_file(name: &str) -> io::Result<UnixStream> {
    let mut result = Err(io::ErrorKind::NotFound.into());
    for folder in SOCKET_FOLDERS {
        result = UnixStream::connect(Path::new(folder).join(name));
        if result.is_ok() {
            break;
        }
    }
    result
}

/// Anybody can take a name while no agent runs. Tools of Pacemaker trust the same servers.
fn is_trusted(uid: u32, gid: u32) -> bool {
    let user = || User::from_name(CLUSTER_USER).ok().flatten().is_some_and(|user| user.uid.as_raw() == uid);
    let group =
        || Group::from_name(CLUSTER_GROUP).ok().flatten().is_some_and(|group| group.gid.as_raw() == gid);
    uid == 0 || user() || group()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_serves_and_nobody_else_by_chance() {
        assert!(is_trusted(0, 0));
        assert!(!is_trusted(65_534, 65_534));
    }
}
