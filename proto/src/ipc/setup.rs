//! The first exchange on the stream socket: the client asks, the server says where everything is.

use thiserror::Error;

/// Bytes of a request.
pub const REQUEST_LEN: usize = 24;

/// Bytes of a response, also of a refusal.
pub const RESPONSE_LEN: usize = 40 + 3 * NAME_LEN;

const NAME_LEN: usize = 4096;

/// `id` of both.
const AUTHENTICATE: i32 = -1;

/// Why bytes are not a request or response.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum SetupError {
    /// The id or the length in it is another's.
    #[error("not a connection setup: id {id}, length {size}")]
    NotSetup {
        /// First word.
        id: i32,
        /// The length it claims.
        size: i32,
    },
    /// A transport that does not exist.
    #[error("unknown transport {0}")]
    Transport(i32),
    /// A name without end, or not UTF-8.
    #[error("a name in the response is not a text")]
    Name,
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Request {
    /// Longest message it wants to send or receive, in bytes.
    pub max_msg_size: u32,
}

/// How messages travel; the server decides.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Transport {
    /// Datagram sockets and a file with counters.
    Socket,
    /// Ring buffers in shared memory.
    SharedMemory,
}

/// What a server answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Response {
    /// Everything named is there.
    Accepted {
        /// How messages travel.
        transport: Transport,
        /// Longest message either way, in bytes.
        max_msg_size: u32,
        /// Ring of requests, or the file with counters.
        request: String,
        /// Ring of responses, or the base name of the datagram sockets.
        response: String,
        /// Ring of events, or empty.
        event: String,
    },
    /// A positive errno.
    Refused(i32),
}

impl Request {
    /// Reads the client's bytes.
    ///
    /// # Errors
    /// [`SetupError::NotSetup`]
    pub fn parse(bytes: &[u8; REQUEST_LEN]) -> Result<Self, SetupError> {
        check(bytes, REQUEST_LEN)?;
        Ok(Self { max_msg_size: word(bytes, 16).cast_unsigned() })
    }

    /// The client's bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; REQUEST_LEN] {
        let mut bytes = [0; REQUEST_LEN];
        start(&mut bytes);
        bytes[16..20].copy_from_slice(&self.max_msg_size.to_ne_bytes());
        bytes
    }
}

impl Response {
    /// Reads the server's bytes.
    ///
    /// # Errors
    /// [`SetupError`]
    pub fn parse(bytes: &[u8; RESPONSE_LEN]) -> Result<Self, SetupError> {
        check(bytes, RESPONSE_LEN)?;
        let error = word(bytes, 16);
        if error != 0 {
            return Ok(Self::Refused(error.saturating_neg()));
        }
        let transport = match word(bytes, 24) {
            0 => Transport::Socket,
            1 => Transport::SharedMemory,
            other => return Err(SetupError::Transport(other)),
        };
        Ok(Self::Accepted {
            transport,
            max_msg_size: word(bytes, 28).cast_unsigned(),
            request: name(bytes, 40)?,
            response: name(bytes, 40 + NAME_LEN)?,
            event: name(bytes, 40 + 2 * NAME_LEN)?,
        })
    }

    /// The server's bytes. Names that do not fit are cut, which no name of ours is.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; RESPONSE_LEN];
        start(&mut bytes);
        match self {
            Self::Refused(errno) => bytes[16..20].copy_from_slice(&(-errno).to_ne_bytes()),
            Self::Accepted { transport, max_msg_size, request, response, event } => {
                let kind: i32 = match transport {
                    Transport::Socket => 0,
                    Transport::SharedMemory => 1,
                };
                bytes[24..28].copy_from_slice(&kind.to_ne_bytes());
                bytes[28..32].copy_from_slice(&max_msg_size.to_ne_bytes());
                for (index, name) in [request, response, event].into_iter().enumerate() {
                    let length = name.len().min(NAME_LEN - 1);
                    let at = 40 + index * NAME_LEN;
                    bytes[at..at + length].copy_from_slice(&name.as_bytes()[..length]);
                }
            }
        }
        bytes
    }
}

fn start(bytes: &mut [u8]) {
    let length = i32::try_from(bytes.len()).expect("setup messages are short");
    bytes[0..4].copy_from_slice(&AUTHENTICATE.to_ne_bytes());
    bytes[8..12].copy_from_slice(&length.to_ne_bytes());
}

fn check(bytes: &[u8], length: usize) -> Result<(), SetupError> {
    let (id, size) = (word(bytes, 0), word(bytes, 8));
    if id == AUTHENTICATE && usize::try_from(size) == Ok(length) {
        Ok(())
    } else {
        Err(SetupError::NotSetup { id, size })
    }
}

fn word(bytes: &[u8], at: usize) -> i32 {
    i32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes are four bytes"))
}

fn name(bytes: &[u8], at: usize) -> Result<String, SetupError> {
    let name =
        std::ffi::CStr::from_bytes_until_nul(&bytes[at..at + NAME_LEN]).map_err(|_| SetupError::Name)?;
    name.to_str().map(str::to_owned).map_err(|_| SetupError::Name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn the_request_of_a_real_client_is_understood() {
        // crm_node of Pacemaker 2.1.5, from strace
        let bytes = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0x18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0];
        assert_eq!(Request::parse(&bytes), Ok(Request { max_msg_size: 131_072 }));
        assert_eq!(Request { max_msg_size: 131_072 }.to_bytes(), bytes);
    }

    #[test]
    fn a_refusal_has_full_length_and_a_negative_errno() {
        let bytes = Response::Refused(121).to_bytes();
        assert_eq!(bytes.len(), 12328);
        assert_eq!(word(&bytes, 16), -121);
    }

    #[test]
    fn anything_else_is_not_a_setup() {
        let mut bytes = Request { max_msg_size: 1 }.to_bytes();
        bytes[0] = 1;
        assert!(Request::parse(&bytes).is_err());
        assert!(Request::parse(&[0; REQUEST_LEN]).is_err());
    }

    proptest! {
        #[test]
        fn a_response_survives_the_way(max_msg_size: u32, shm: bool, names in prop::array::uniform3("[!-~]{0,200}")) {
            let [request, response, event] = names;
            let transport = if shm { Transport::SharedMemory } else { Transport::Socket };
            let answer = Response::Accepted { transport, max_msg_size, request, response, event };
            let bytes: [u8; RESPONSE_LEN] = answer.to_bytes().try_into().unwrap();
            prop_assert_eq!(Response::parse(&bytes), Ok(answer));
        }
    }
}
