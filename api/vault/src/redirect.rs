use http::header::{CACHE_CONTROL, HeaderValue, LOCATION};
use http::{Response, StatusCode, Uri};

use crate::HttpResponse;

/// Sends a path with empty, `.` or `..` segments to the one it means, as Vault does: an address
/// that was set with a slash at its end makes such paths. `None` for all others.
///
/// What is escaped in a path is left to the parser, which refuses it.
pub(crate) fn to_clean_path(uri: &Uri) -> Option<HttpResponse> {
    let path = uri.path();
    let mut clean = match path {
        "/v1/sys" => "/v1/sys/".to_owned(),
        _ if path.contains("//") || path.contains("/.") => clean(path).filter(|it| it != path)?,
        _ => return None,
    };
    if let Some(query) = uri.query() {
        clean = format!("{clean}?{query}");
    }
    let mut response = Response::new(http_body_util::Full::default());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(LOCATION, HeaderValue::from_str(&clean).ok()?);
    Some(response)
}

fn clean(path: &str) -> Option<String> {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    let is_api = segments.first() == Some(&"v1");
    let end = if path.ends_with('/') && segments.len() > 1 { "/" } else { "" };
    is_api.then(|| format!("/{}{end}", segments.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_as_go_does() {
        for (path, expected) in [
            ("/v1//kv/data/a", "/v1/kv/data/a"),
            ("//v1/kv/", "/v1/kv/"),
            ("/v1/kv/data/../data/./a", "/v1/kv/data/a"),
            ("/../v1/kv", "/v1/kv"),
        ] {
            assert_eq!(clean(path).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn nothing_leads_outside_of_the_api_or_to_another_host() {
        for path in ["//example.org/a", "/v1/../example.org", "/v2//a", "/v1/../../..//x/v1"] {
            assert_eq!(clean(path), None, "{path}");
        }
    }

    #[test]
    fn a_clean_path_is_not_redirected() {
        for path in ["/v1/kv/.hidden", "/v1/kv/a..b", "/v1/kv/a/", "/v1/kv/%2e%2e/a"] {
            assert!(to_clean_path(&Uri::from_static(path)).is_none(), "{path}");
        }
    }
}
