//! The sockets that local clients connect to, and the exchange that makes a connection a session.

use std::collections::VecDeque;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use picket_proto::ipc::endpoint::{Endpoint, Service};
use picket_proto::ipc::setup::{REQUEST_LEN, Request, Response};
use thiserror::Error;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::datagram::address;
use super::peer::{Identity, Peer};
use super::serve::Server;

/// Clients and servers of libqb use files instead of abstract names where this exists.
const FORCE_FILES: &str = "/etc/libqb/force-filesystem-sockets";

/// Where such files are: compiled into libqb, `/tmp` on Debian, `/run` as upstream has it.
pub(super) const SOCKET_FOLDERS: [&str; 2] = ["/run", "/tmp"];

/// How long a client may take to say what it wants; libqb's say it at once.
const REQUEST_LIMIT: Duration = Duration::from_secs(3);

/// Connections to one name that have not said yet what they want. Beyond it the oldest of the user with the most
/// of them goes, so that nobody keeps others out by connecting.
const SILENT: usize = 32;

/// Pause after the system could not accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// errno values of refusals.
const EACCES: i32 = 13;
const EREMOTEIO: i32 = 121;

/// Why a server cannot be created. The agent ends with status 100.
#[derive(Debug, Error)]
pub enum DoorError {
    /// Two servers of one name.
    #[error(
        "the local server name {0} is in use: pacemaker-remoted, Pacemaker or another picket-agent runs already"
    )]
    Taken(String),
    /// Anything else.
    #[error("cannot create the local server {name}: {cause}")]
    System {
        /// Its name.
        name: String,
        /// Why not.
        cause: io::Error,
    },
}

/// A bound name. Files go with it.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) endpoint: Endpoint,
    listener: StdListener,
    _file: Option<SocketFile>,
}

#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Door {
    /// Binds every name, also as files where libqb is told to use files.
    pub(super) fn bind_all() -> Result<Vec<Self>, DoorError> {
        let files = files_are_forced();
        let mut doors = Vec::new();
        for endpoint in Endpoint::ALL {
            let unnamed = Self::bind(endpoint, endpoint.name(), || {
                Ok((StdListener::bind_addr(&address(endpoint.name())?)?, None))
            });
            match unnamed {
                // Abstract names belong to the network, and a bundle may have its host's, where the cluster's own
                // daemons have them. That is what the files are for.
                Err(DoorError::Taken(name)) if files => {
                    tracing::info!(
                        "{name} is another's in this network: serving local clients by files only"
                    );
                }
                bound => doors.push(bound?),
            }
            for folder in SOCKET_FOLDERS.iter().filter(|_| files) {
                let path = Path::new(folder).join(endpoint.name());
                doors.push(Self::bind(endpoint, &path.display().to_string(), || bind_file(path.clone()))?);
            }
        }
        Ok(doors)
    }

    fn bind(
        endpoint: Endpoint,
        name: &str,
        bind: impl FnOnce() -> io::Result<(StdListener, Option<SocketFile>)>,
    ) -> Result<Self, DoorError> {
        let bound =
            bind().and_then(|(listener, file)| listener.set_nonblocking(true).map(|()| (listener, file)));
        match bound {
            Ok((listener, file)) => Ok(Self { endpoint, listener, _file: file }),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(DoorError::Taken(name.to_owned())),
            Err(cause) => Err(DoorError::System { name: name.to_owned(), cause }),
        }
    }

    /// Accepts for ever; each connection gets a task.
    pub(super) async fn attend(self, server: Server) -> io::Result<()> {
        let listener = UnixListener::from_std(self.listener)?;
        let mut silent: VecDeque<(u64, u32, AbortHandle)> = VecDeque::new();
        let (spoke, mut spoken) = mpsc::unbounded_channel();
        for id in 0_u64.. {
            let (stream, peer) = accept(&listener, self.endpoint).await;
            while let Ok(done) = spoken.try_recv() {
                silent.retain(|(id, ..)| *id != done);
            }
            if silent.len() >= SILENT {
                drop_one(&mut silent);
            }
            let (server, spoke, uid) = (server.clone(), spoke.clone(), peer.uid);
            let endpoint = self.endpoint;
            let task = tokio::task::spawn_local(async move {
                let admitted = admit(stream, &peer, endpoint).await;
                // The other end is the loop above, gone when the agent ends.
                let _ = spoke.send(id);
                if let Some(Admitted { stream, identity, request }) = admitted {
                    server.serve(endpoint, stream, peer, identity, request).await;
                }
            });
            silent.push_back((id, uid, task.abort_handle()));
        }
        Ok(())
    }
}

/// Whether an administrator, or the image of a bundle, has libqb use files.
pub(super) fn files_are_forced() -> bool {
    Path::new(FORCE_FILES).exists()
}

fn bind_file(path: PathBuf) -> io::Result<(StdListener, Option<SocketFile>)> {
    if std::os::unix::net::UnixStream::connect(&path).is_ok() {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    // Nobody listens: a dead server left it.
    let _ = std::fs::remove_file(&path);
    let listener = StdListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777))?;
    Ok((listener, Some(SocketFile(path))))
}

async fn accept(listener: &UnixListener, endpoint: Endpoint) -> (UnixStream, Peer) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => match Peer::of(&stream) {
                Ok(peer) => return (stream, peer),
                Err(error) => {
                    tracing::debug!("a local client of {} is gone already: {error}", endpoint.name());
                }
            },
            Err(error) => {
                tracing::warn!("cannot accept a local client of {}: {error}", endpoint.name());
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn drop_one(silent: &mut VecDeque<(u64, u32, AbortHandle)>) {
    let count = |uid| silent.iter().filter(|(_, known, _)| *known == uid).count();
    let Some(worst) = silent.iter().map(|(_, uid, _)| *uid).max_by_key(|uid| count(*uid)) else { return };
    let oldest = silent.iter().position(|(_, uid, _)| *uid == worst);
    if let Some((_, uid, task)) = oldest.and_then(|oldest| silent.remove(oldest)) {
        tracing::debug!(uid, "{SILENT} local clients have connected and say nothing: closing one");
        task.abort();
    }
}

/// A client that asked in due form and may use the name.
struct Admitted {
    stream: UnixStream,
    identity: Identity,
    request: Request,
}

async fn admit(mut stream: UnixStream, peer: &Peer, endpoint: Endpoint) -> Option<Admitted> {
    let mut bytes = [0; REQUEST_LEN];
    let read = tokio::time::timeout(REQUEST_LIMIT, stream.read_exact(&mut bytes)).await;
    let request = match read {
        Ok(Ok(_)) => Request::parse(&bytes),
        // Gone, or silent.
        Ok(Err(_)) | Err(_) => return None,
    };
    let request = match request {
        Ok(request) => request,
        Err(error) => {
            tracing::debug!(uid = peer.uid, pid = peer.pid, "closing a local connection: {error}");
            return None;
        }
    };
    let identity = peer.identify().await;
    let refusal = match endpoint.service() {
        Service::Refused => EREMOTEIO,
        _ if !identity.trusted => EACCES,
        Service::Executor | Service::Relayed(_) => return Some(Admitted { stream, identity, request }),
    };
    refuse(&mut stream, refusal).await;
    None
}

/// Says no, with the reason.
pub(super) async fn refuse(stream: &mut UnixStream, errno: i32) {
    // A client that does not read this has gone.
    let _ = tokio::time::timeout(REQUEST_LIMIT, stream.write_all(&Response::Refused(errno).to_bytes())).await;
}
