use std::ops::Range;

/// Where a connection URL has a password of its own: after the user's name, or in a pair.
pub(crate) fn password_in(url: &str) -> Option<Range<usize>> {
    let range = match url.find("://") {
        Some(scheme) => userinfo_password(url, scheme + 3)?,
        None => match url.rfind('@') {
            // MySQL's own form has no scheme.
            Some(_) if !url.contains("password=") => userinfo_password(url, 0)?,
            _ => {
                let start = url.find("password=")? + "password=".len();
                let end = match url[start..].strip_prefix('\'') {
                    Some(quoted) => quoted.find('\'').map_or(url.len(), |end| start + end + 2),
                    None => url[start..].find(' ').map_or(url.len(), |end| start + end),
                };
                start..end
            }
        },
    };
    let password = url[range.clone()].trim_matches('\'');
    (!password.is_empty() && !password.contains("{{password}}")).then_some(range)
}

fn userinfo_password(url: &str, start: usize) -> Option<Range<usize>> {
    let end = start + url[start..].rfind('@')?;
    let colon = start + url[start..end].find(':')?;
    Some(colon + 1..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_a_url_is_found() {
        for (url, password) in [
            ("postgresql://u:hunter2@h:5/db", Some("hunter2")),
            ("postgresql://u:a@b:c@h:5/db", Some("a@b:c")),
            ("postgresql://{{username}}:{{password}}@h/db", None),
            ("postgresql://h/db", None),
            ("postgresql://u@h/db", None),
            ("host=h password=hunter2 user=u", Some("hunter2")),
            ("host=h user=u password=hunter2", Some("hunter2")),
            ("password='a b@c' host=h", Some("'a b@c'")),
            ("host=h password={{password}}", None),
            ("host=h password='{{password}}'", None),
            ("u:hunter2@tcp(h:3306)/", Some("hunter2")),
            ("{{username}}:{{password}}@tcp(h:3306)/", None),
        ] {
            assert_eq!(password_in(url).map(|place| &url[place]), password, "{url}");
        }
    }
}
