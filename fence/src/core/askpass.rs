//! The answer to `ssh`'s question for a password.
//!
//! ssh runs the program of `SSH_ASKPASS` and takes its output. That program is this one again: it finds in its
//! environment the name of a socket on which the first one answers, once, to processes of its own user only. So the
//! password is neither in arguments nor in an environment nor in a file.

use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::secret::Secret;

/// Names the socket; its presence makes the program an askpass.
pub const VARIABLE: &str = "PICKET_FENCE_ASKPASS";

/// Gives the password to whoever asks while it lives.
pub struct Askpass {
    /// For [`VARIABLE`].
    pub name: String,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Askpass {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Askpass {
    /// Starts to listen; inside a runtime.
    ///
    /// # Errors
    /// No socket can be had.
    pub fn start(password: &Secret) -> std::io::Result<Self> {
        let mut random = [0_u8; 16];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
        let random: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!("picket-fence-{}-{random}", std::process::id());
        let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        listener.set_nonblocking(true)?;
        let listener = tokio::net::UnixListener::from_std(listener)?;
        let password = password.clone();
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let ours = rustix::process::geteuid().as_raw();
                let is_ours = stream.peer_cred().is_ok_and(|peer| peer.uid() == ours || peer.uid() == 0);
                if is_ours {
                    let _ = stream.write_all(password.reveal().as_bytes()).await;
                }
            }
        });
        Ok(Self { name, task })
    }
}

/// Asks for the password and prints it. Whether that worked is all that ssh needs to know.
pub fn answer(name: &str) -> bool {
    let asked = || -> std::io::Result<()> {
        let mut stream = UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut password = zeroize::Zeroizing::new(Vec::new());
        stream.read_to_end(&mut password)?;
        password.push(b'\n');
        std::io::stdout().write_all(&password)
    };
    asked().is_ok()
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn whoever_knows_the_socket_gets_the_password_while_it_lives() {
        let askpass = Askpass::start(&Secret::new("hunter2")).unwrap();
        let address = SocketAddr::from_abstract_name(&askpass.name).unwrap();
        let stream = UnixStream::connect_addr(&address).unwrap();
        stream.set_nonblocking(true).unwrap();
        let mut told = String::new();
        tokio::net::UnixStream::from_std(stream).unwrap().read_to_string(&mut told).await.unwrap();
        assert_eq!(told, "hunter2");
        let task = askpass.task.abort_handle();
        drop(askpass);
        while !task.is_finished() {
            tokio::task::yield_now().await;
        }
        assert!(UnixStream::connect_addr(&address).is_err());
    }
}
