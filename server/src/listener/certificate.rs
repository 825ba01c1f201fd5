use base_types::{Error, Result, Timestamp};

/// The few parts of an X.509 certificate that the operator's checks look at (RFC 5280 section 4.1).
pub(crate) struct Certificate<'a> {
    /// The encoded names, which are compared byte by byte.
    pub(crate) issuer: &'a [u8],
    pub(crate) subject: &'a [u8],
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
}

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;

impl<'a> Certificate<'a> {
    /// # Errors
    /// `Invalid` if `der` is no certificate.
    pub(crate) fn parse(der: &'a [u8]) -> Result<Self> {
        Self::read(der).ok_or_else(|| Error::invalid("this is no X.509 certificate"))
    }

    fn read(der: &'a [u8]) -> Option<Self> {
        let mut certificate = Der(Der(der).expect(SEQUENCE)?);
        let mut body = Der(certificate.expect(SEQUENCE)?);
        if body.0.first() == Some(&VERSION) {
            body.next()?;
        }
        let _serial = body.next()?;
        let _algorithm = body.expect(SEQUENCE)?;
        let issuer = body.expect(SEQUENCE)?;
        let mut validity = Der(body.expect(SEQUENCE)?);
        let subject = body.expect(SEQUENCE)?;
        let not_before = validity.time()?;
        let not_after = validity.time()?;
        Some(Self { issuer, subject, not_before, not_after })
    }
}

/// The rest of an encoding, read element by element.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The tag and the content of the next element.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (bytes.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    fn expect(&mut self, wanted: u8) -> Option<&'a [u8]> {
        self.next().filter(|(tag, _)| *tag == wanted).map(|(_, content)| content)
    }

    /// `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ` (RFC 5280 section 4.1.2.5).
    fn time(&mut self) -> Option<Timestamp> {
        let (tag, content) = self.next()?;
        let text = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
        let full = match tag {
            // Years from 50 belong to the last century.
            UTC_TIME if text.as_bytes().first()? >= &b'5' => format!("19{text}"),
            UTC_TIME => format!("20{text}"),
            GENERALIZED_TIME => text.to_owned(),
            _ => return None,
        };
        if full.len() != 14 || !full.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let (date, time) = full.split_at(8);
        let (year, month, day) = (&date[..4], &date[4..6], &date[6..]);
        let (hour, minute, second) = (&time[..2], &time[2..4], &time[4..]);
        let text = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
        // A year that an instant cannot express, such as 9999, is as good as never.
        text.parse().ok().or_else(|| (year > "2261").then_some(Timestamp(i64::MAX)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn made(from: i32, until: i32) -> Vec<u8> {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(from, 1, 2);
        params.not_after = rcgen::date_time_ymd(until, 12, 31);
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn reads_names_and_times() {
        for (from, until, before, after) in [
            (2020, 2030, "2020-01-02T00:00:00Z", "2030-12-31T00:00:00Z"),
            (1999, 2055, "1999-01-02T00:00:00Z", "2055-12-31T00:00:00Z"),
        ] {
            let der = made(from, until);
            let certificate = Certificate::parse(&der).unwrap();
            assert_eq!(certificate.not_before.to_string(), before);
            assert_eq!(certificate.not_after.to_string(), after);
            assert_eq!(certificate.subject, certificate.issuer);
        }
        let der = made(2020, 9999);
        assert_eq!(Certificate::parse(&der).unwrap().not_after, Timestamp(i64::MAX));
    }

    #[test]
    fn no_prefix_of_a_certificate_is_one() {
        let der = made(2020, 2030);
        for length in 0..der.len() {
            assert!(Certificate::parse(&der[..length]).is_err(), "{length}");
        }
    }
}
