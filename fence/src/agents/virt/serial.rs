//! A serial line to the host of this virtual machine.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::sys::termios::{self, BaudRate, ControlFlags, FlushArg, SetArg};
use tokio::net::unix::pipe;

use super::link::Trouble;
use super::packet::SERIAL;
use super::talk::{self, Reply, Stream};

/// How long the line is hung up, so that whoever listens begins anew.
const HANG_UP: Duration = Duration::from_millis(300);

/// The line, and how fast it is.
pub(super) struct Serial {
    device: PathBuf,
    speed: BaudRate,
    bits: ControlFlags,
    /// Open since the first request.
    stream: Option<Box<dyn Stream>>,
}

impl Serial {
    /// A line with parameters like `115200,8N1`.
    ///
    /// # Errors
    /// The parameters are none.
    pub(super) fn new(device: &str, parameters: &str) -> Result<Self, String> {
        let (speed, bits) = parameters.split_once(',').unwrap_or((parameters, "8N1"));
        let speed = match speed {
            "2400" => BaudRate::B2400,
            "" | "9600" => BaudRate::B9600,
            "19200" => BaudRate::B19200,
            "38400" => BaudRate::B38400,
            "57600" => BaudRate::B57600,
            "115200" => BaudRate::B115200,
            other => return Err(format!("'{other}' is no speed from 2400 to 115200")),
        };
        let mut letters = bits.chars();
        let (Some(data), Some(parity), Some(stop), None) =
            (letters.next(), letters.next(), letters.next(), letters.next())
        else {
            return Err(format!("'{bits}' is not like 8N1"));
        };
        let mut bits = match data {
            '5' => ControlFlags::CS5,
            '6' => ControlFlags::CS6,
            '7' => ControlFlags::CS7,
            '8' => ControlFlags::CS8,
            other => return Err(format!("'{other}' is no number of data bits")),
        };
        bits |= match parity {
            'n' | 'N' => ControlFlags::empty(),
            'e' | 'E' => ControlFlags::PARENB,
            'o' | 'O' => ControlFlags::PARENB | ControlFlags::PARODD,
            other => return Err(format!("'{other}' is no parity")),
        };
        bits |= match stop {
            '1' => ControlFlags::empty(),
            '2' => ControlFlags::CSTOPB,
            other => return Err(format!("'{other}' is no number of stop bits")),
        };
        Ok(Self { device: device.into(), speed, bits, stream: None })
    }

    /// For messages.
    pub(super) fn place(&self) -> String {
        self.device.display().to_string()
    }

    /// Sends a request and reads its answer. After a failure the line is opened anew.
    pub(super) async fn ask(&mut self, request: [u8; SERIAL]) -> Result<Reply, Trouble> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.open().await.map_err(|error| Trouble::Connect(error.to_string()))?,
        };
        talk::send(stream.as_mut(), &request).await.map_err(Trouble::Talk)?;
        let reply = talk::serial_reply(stream.as_mut()).await.map_err(Trouble::Talk)?;
        self.stream = Some(stream);
        Ok(reply)
    }

    async fn open(&self) -> std::io::Result<Box<dyn Stream>> {
        let flags = (OFlag::O_NOCTTY | OFlag::O_NONBLOCK).bits();
        let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(&self.device)?;
        // Another run's answer would be taken for ours.
        file.try_lock()?;
        let mut settings = termios::tcgetattr(&file)?;
        termios::cfmakeraw(&mut settings);
        settings.control_flags = self.bits | ControlFlags::CLOCAL | ControlFlags::CREAD;
        termios::cfsetspeed(&mut settings, BaudRate::B0)?;
        termios::tcsetattr(&file, SetArg::TCSANOW, &settings)?;
        tokio::time::sleep(HANG_UP).await;
        termios::cfsetspeed(&mut settings, self.speed)?;
        settings.control_flags |= ControlFlags::CRTSCTS;
        termios::tcsetattr(&file, SetArg::TCSANOW, &settings)?;
        termios::tcflush(&file, FlushArg::TCIOFLUSH)?;
        // tokio has no terminals, but moves the bytes of any descriptor.
        let writer = pipe::Sender::from_file_unchecked(file.try_clone()?)?;
        Ok(Box::new(tokio::io::join(pipe::Receiver::from_file_unchecked(file)?, writer)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_those_of_the_older_agent() {
        for good in ["115200,8N1", "9600,7e2", "2400,5o1", "57600", ",8N1"] {
            assert!(Serial::new("/dev/ttyS1", good).is_ok(), "{good}");
        }
        for bad in ["115200,8N", "115200,8N11", "115200,9N1", "115200,8X1", "115200,8N3", "300,8N1", "fast"] {
            assert!(Serial::new("/dev/ttyS1", bad).is_err(), "{bad}");
        }
    }
}
