use base_types::{Error, Result};
use core_engine_api::BaseUrl;

use crate::query::Service;

/// Where a service is, and the region in the scope of what is signed for it.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) url: BaseUrl,
    pub(crate) region: String,
}

/// Where no region is configured.
pub(crate) const REGION: &str = "us-east-1";

impl Endpoint {
    /// AWS's own endpoint unless `url` names another. IAM has one for a whole partition, STS one for
    /// each region.
    ///
    /// <https://docs.aws.amazon.com/general/latest/gr/iam-service.html>
    /// <https://docs.aws.amazon.com/general/latest/gr/sts.html>
    ///
    /// # Errors
    /// `Invalid` if the region is none or lies in a partition whose endpoints must be named, or if
    /// `url` is none.
    pub(crate) fn new(service: Service, region: &str, url: &str) -> Result<Self> {
        let region = if region.is_empty() { REGION } else { region };
        check_region(region)?;
        let partition = Partition::of(region);
        let region = match (service, partition) {
            (Service::Iam, Partition::Commercial) => REGION,
            (Service::Iam, Partition::China) => "cn-north-1",
            (Service::Iam, Partition::GovCloud) => "us-gov-west-1",
            (Service::Iam, Partition::Other) | (Service::Sts, _) => region,
        };
        let own = match (service, partition) {
            (Service::Iam, Partition::Commercial) => "https://iam.amazonaws.com".to_owned(),
            (Service::Iam, Partition::China) => {
                "https://iam.cn-north-1.amazonaws.com.cn".to_owned()
            }
            (Service::Iam, Partition::GovCloud) => "https://iam.us-gov.amazonaws.com".to_owned(),
            (Service::Sts, Partition::China) => format!("https://sts.{region}.amazonaws.com.cn"),
            (Service::Sts, Partition::Commercial | Partition::GovCloud) => {
                format!("https://sts.{region}.amazonaws.com")
            }
            (_, Partition::Other) => String::new(),
        };
        let field = format!("{}_endpoint", service.name());
        let url = match (url, own.as_str()) {
            ("", "") => {
                return Err(Error::invalid(format!("region {region} needs {field} to be set")));
            }
            ("", own) => own,
            (given, _) => given,
        };
        let url = BaseUrl::parse(url).map_err(|error| error.at(field))?;
        Ok(Self { url, region: region.to_owned() })
    }
}

/// Regions that share one IAM.
#[derive(Clone, Copy)]
enum Partition {
    China,
    Commercial,
    GovCloud,
    /// Isolated or sovereign; their endpoints are under other domains.
    Other,
}

impl Partition {
    fn of(region: &str) -> Self {
        match region {
            _ if region.contains("-iso") || region.starts_with("eusc-") => Self::Other,
            _ if region.starts_with("cn-") => Self::China,
            _ if region.starts_with("us-gov-") => Self::GovCloud,
            _ => Self::Commercial,
        }
    }
}

/// It becomes a part of a host's name.
fn check_region(region: &str) -> Result<()> {
    const LENGTH_MAX: usize = 32;
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if region.len() <= LENGTH_MAX && region.starts_with(fits) && region.chars().all(fits) {
        return Ok(());
    }
    Err(Error::invalid("a region holds small letters, digits and '-', such as eu-central-1"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(service: Service, region: &str, url: &str, expected: (&str, &str)) {
        let endpoint = Endpoint::new(service, region, url).unwrap();
        let host = endpoint.url.join(&[]).unwrap();
        assert_eq!((host.host().unwrap(), endpoint.region.as_str()), expected, "{region}");
    }

    #[test]
    fn every_partition_has_its_own() {
        check(Service::Iam, "", "", ("iam.amazonaws.com", "us-east-1"));
        check(Service::Iam, "eu-central-1", "", ("iam.amazonaws.com", "us-east-1"));
        check(
            Service::Iam,
            "cn-northwest-1",
            "",
            ("iam.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        );
        check(Service::Iam, "us-gov-east-1", "", ("iam.us-gov.amazonaws.com", "us-gov-west-1"));
        check(Service::Sts, "", "", ("sts.us-east-1.amazonaws.com", "us-east-1"));
        check(Service::Sts, "eu-central-1", "", ("sts.eu-central-1.amazonaws.com", "eu-central-1"));
        check(Service::Sts, "cn-north-1", "", ("sts.cn-north-1.amazonaws.com.cn", "cn-north-1"));
        check(Service::Sts, "eu-central-1", "http://h:1", ("h", "eu-central-1"));
        check(Service::Iam, "us-iso-east-1", "https://h", ("h", "us-iso-east-1"));
    }

    #[test]
    fn no_region_leads_to_another_host() {
        for region in ["evil.test/", "a.b", "a@b", "A", "a b", "#", "-\0", &"a".repeat(33)] {
            assert!(Endpoint::new(Service::Sts, region, "").is_err(), "{region}");
        }
        let error = Endpoint::new(Service::Sts, "us-iso-east-1", "").unwrap_err();
        assert_eq!(error.public(), "region us-iso-east-1 needs sts_endpoint to be set");
        let error = Endpoint::new(Service::Iam, "", "iam").unwrap_err();
        assert!(error.public().starts_with("iam_endpoint: the URL"), "{error:?}");
    }
}
