//! A user's name and password in an address: RFC 3986's userinfo, `scheme://user:password@host`.

use super::{Candidate, Detector};
use core::ops::Range;

pub const DETECTOR: Detector = Detector {
    name: "url_credentials",
    label: "URL_CREDENTIALS",
    // The match ends at the last @ before a slash: a password may have one that should have been escaped.
    pattern: r#"[A-Za-z][A-Za-z0-9+.-]*://[A-Za-z0-9._~%!$&*+=\x28\x29\x5b\x5d{}-]*:[^\x00-\x20"'<>`/?#\\\x7f-\xff]+@"#,
    longest: 1_024,
    check,
};

fn check(candidate: &Candidate<'_>) -> Option<Range<usize>> {
    let text = candidate.text;
    let start = text.find("://")?.checked_add(3)?;
    let end = text.len().checked_sub(1)?;
    let (user, password) = text.get(start..end)?.split_once(':')?;
    // A template says where the two go, and stars that they were taken out.
    let is_template = is_place(user) || is_place(password);
    let is_masked = password.bytes().all(|byte| matches!(byte, b'*' | b'.' | b'x' | b'X'));
    (!is_template && !is_masked).then_some(start..end)
}

/// `{password}`, `${PASSWORD}`, `$PASSWORD`, `[password]`, `%s`: what something else is put into.
fn is_place(text: &str) -> bool {
    let is_variable = |byte: &u8| byte.is_ascii_uppercase() || *byte == b'_';
    match text.as_bytes() {
        [b'{', .., b'}'] | [b'$', b'{', .., b'}'] | [b'[', .., b']'] | [b'%', _] => true,
        [b'$', name @ ..] => name.iter().all(is_variable),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::walk::{findings, finds, passes_over};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn credentials_are_found() {
        finds(
            &DETECTOR,
            &[
                "postgres://«app:s3cr3t»@db.example.com:5432/app",
                "https://«jo:hunter2»@example.com/",
                "git clone https://«oauth2:glpat-abcdefghij»@gitlab.com/a/b.git",
                "redis://«:p4ssw0rd»@cache:6379/0",
                "amqp://«guest:guest»@localhost:5672/%2f",
                "mongodb+srv://«root:p%40ss%2Fword»@cluster0.example.net/?w=majority",
                "mysql://«root:p@ss»@127.0.0.1/x",
                "DATABASE_URL=\"postgresql://«u:a:b:c»@h/d\"",
                "http_proxy=http://«corpuser:x1»@proxy:3128",
                "ftp://«anonymous:jo%40example.com»@ftp.example.com",
                "see https://example.com/a and https://«a:b1»@example.com/b",
                "smtps://«jo%40example.com:$ecret»@mail.example.com",
                "(https://«a:b-c_d~e»@example.com)",
                "地址https://«a:b1»@example.com。",
            ],
        );
    }

    #[test]
    fn other_addresses_are_passed_over() {
        passes_over(
            &DETECTOR,
            &[
                ("https://example.com:8080/a", "a port"),
                ("https://jo@example.com/", "no password"),
                ("https://example.com/?x=a:b@c", "behind the question mark"),
                ("https://example.com/a:b@c", "in the path"),
                ("https://example.com:80/~jo@x", "in the path"),
                ("https://$USER:$PASSWORD@example.com", "variables"),
                ("https://${USER}:${PASSWORD}@example.com", "variables"),
                ("https://{user}:{password}@example.com", "a template"),
                ("https://[user]:[password]@example.com", "a template"),
                ("https://%s:%s@example.com", "a template"),
                ("postgres://app:***@db/app", "taken out"),
                ("postgres://app:xxxx@db/app", "taken out"),
                ("postgres://<user>:<password>@db/app", "a template"),
                ("mailto:jo:x@example.com", "no authority"),
                ("//a:b@example.com", "no scheme"),
                ("https://a:@example.com", "an empty password"),
                ("https://example.com:80 jo@example.com", "a blank between"),
            ],
        );
    }

    proptest! {
        #[test]
        fn generated_ones_are_found_whole(
            scheme in "https?|postgres|mongodb\\+srv", user in "[a-z][a-z0-9._-]{0,10}", password in "[A-Za-z0-9!$&*+=.,;:~_-]{3,30}[A-Za-z0-9]"
        ) {
            prop_assume!(!password.bytes().all(|byte| b"*.xX".contains(&byte)) && !is_place(&password));
            let text = format!("connect to {scheme}://{user}:{password}@host.example.com:5432/db");
            let start = 14 + scheme.len();
            prop_assert_eq!(findings(&DETECTOR, &text), vec![start..start + user.len() + password.len() + 1]);
        }
    }
}
