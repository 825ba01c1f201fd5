use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base_types::{Clock, Error};

use super::{Batch, Sink, Tail, Written, failed, send_datagrams};

/// A facility of RFC 3164, section 4.1.1, by its usual name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Facility(u8);

const FACILITIES: [&str; 24] = [
    "KERN", "USER", "MAIL", "DAEMON", "AUTH", "SYSLOG", "LPR", "NEWS", "UUCP", "CRON", "AUTHPRIV",
    "FTP", "NTP", "AUDIT", "ALERT", "CLOCK", "LOCAL0", "LOCAL1", "LOCAL2", "LOCAL3", "LOCAL4",
    "LOCAL5", "LOCAL6", "LOCAL7",
];

impl Facility {
    pub(crate) const AUTH: Self = Self(4);

    pub(crate) fn parse(name: &str) -> Option<Self> {
        let index = FACILITIES.iter().position(|known| known.eq_ignore_ascii_case(name))?;
        u8::try_from(index).ok().map(Self)
    }

    /// With the severity "informational".
    fn priority(self) -> u8 {
        self.0 * 8 + 6
    }
}

/// Lines to the local syslog agent, each a datagram as RFC 3164 describes it, without a host name
/// as is usual on the local socket.
pub(crate) struct SyslogSink {
    facility: Facility,
    tag: String,
    /// `None` tries the usual places.
    address: Option<PathBuf>,
    clock: Arc<dyn Clock>,
    socket: Option<UnixDatagram>,
}

const PLACES: [&str; 3] = ["/dev/log", "/var/run/syslog", "/var/run/log"];
const TIMEOUT: Duration = Duration::from_secs(2);

impl SyslogSink {
    pub(crate) fn new(
        facility: Facility,
        tag: String,
        address: Option<PathBuf>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { facility, tag, address, clock, socket: None }
    }

    fn place(&self) -> &str {
        self.address.as_deref().and_then(Path::to_str).unwrap_or("syslog")
    }

    fn connect(&self) -> io::Result<UnixDatagram> {
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(TIMEOUT))?;
        match &self.address {
            Some(address) => socket.connect(address)?,
            None => PLACES
                .iter()
                .map(|place| socket.connect(place))
                .find(Result::is_ok)
                .ok_or_else(|| io::Error::other("no agent listens at /dev/log"))??,
        }
        Ok(socket)
    }

    fn header(&self) -> String {
        let now = self.clock.now().to_string();
        let (priority, pid) = (self.facility.priority(), std::process::id());
        format!("<{priority}>{} {}[{pid}]: ", stamp(&now), self.tag)
    }
}

/// `Jan  2 15:04:05` of an RFC 3339 time.
fn stamp(rfc3339: &str) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let part = |range: std::ops::Range<usize>| rfc3339.get(range).unwrap_or_default();
    let month =
        part(5..7).parse::<usize>().ok().and_then(|month| MONTHS.get(month.wrapping_sub(1)));
    let day = part(8..10).trim_start_matches('0');
    format!("{} {day:>2} {}", month.unwrap_or(&MONTHS[0]), part(11..19))
}

impl Sink for SyslogSink {
    fn open(&mut self) -> Result<Tail, Error> {
        self.close();
        let socket = self.connect().map_err(|error| failed("connect to", self.place(), &error))?;
        self.socket = Some(socket);
        Ok(Tail::default())
    }

    fn write(&mut self, batch: &Batch) -> Written {
        let Some(socket) = &self.socket else {
            return Written::broken(0, Error::unavailable(format!("{} is closed", self.place())));
        };
        let mut message = self.header().into_bytes();
        let header = message.len();
        send_datagrams(batch, self.place(), |line| {
            message.truncate(header);
            message.extend_from_slice(line);
            socket.send(&message)
        })
    }

    fn close(&mut self) {
        self.socket = None;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn facilities_are_those_of_the_rfc() {
        assert_eq!(Facility::parse("auth"), Some(Facility::AUTH));
        assert_eq!(Facility::parse("LOCAL7").unwrap().priority(), 190);
        assert_eq!(Facility::parse("LOCAL8"), None);
    }

    #[test]
    fn the_stamp_has_the_day_in_two_places() {
        assert_eq!(stamp("2026-01-02T15:04:05.123Z"), "Jan  2 15:04:05");
        assert_eq!(stamp("2026-12-31T00:00:00Z"), "Dec 31 00:00:00");
    }
}
