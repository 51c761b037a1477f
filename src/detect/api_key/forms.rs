//! The forms of keys. Each is what its issuer documents, or what the keys that it issues have in common.

/// What a part may be made of.
#[derive(Clone, Copy)]
pub enum Letters {
    Digits,
    /// Small ones.
    Hex,
    AnyHex,
    /// Capitals and digits.
    Upper,
    /// Small letters and digits.
    Lower,
    Alphanumeric,
    /// Base64 for addresses: with dashes and underscores.
    Url,
    /// Base64, padded.
    Base64,
    /// Base64 of either kind.
    Base64Url,
    /// With dots: several parts of base64.
    Dotted,
}

impl Letters {
    pub fn has(self, byte: u8) -> bool {
        match self {
            Self::Digits => byte.is_ascii_digit(),
            Self::Hex => byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'),
            Self::AnyHex => byte.is_ascii_hexdigit(),
            Self::Upper => byte.is_ascii_digit() || byte.is_ascii_uppercase(),
            Self::Lower => byte.is_ascii_digit() || byte.is_ascii_lowercase(),
            Self::Alphanumeric => byte.is_ascii_alphanumeric(),
            Self::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
            Self::Base64 => byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='),
            Self::Base64Url => Self::Url.has(byte) || Self::Base64.has(byte),
            Self::Dotted => Self::Url.has(byte) || byte == b'.',
        }
    }
}

pub enum Part {
    Is(&'static str),
    /// One of them.
    One(&'static [&'static str]),
    /// What a word ends in that says what the value behind it is, and is no part of it: one of them.
    Named(&'static [&'static str]),
    /// Letters right before it, and no part of it.
    Behind(&'static str),
    /// So many at least, and at most.
    Run(Letters, usize, usize),
}

pub struct Form(pub &'static [Part]);

impl Form {
    /// Whether what this byte is followed by is the rest of a longer word. A name may end in an underscore before a key.
    pub fn begins_within(&self, byte: u8) -> bool {
        match self.0.first() {
            Some(Part::Run(letters, ..)) => letters.has(byte),
            _ => byte.is_ascii_alphanumeric(),
        }
    }

    /// Whether a key that this byte follows would be longer than any.
    pub fn goes_on(&self, byte: u8) -> bool {
        let last = self.0.iter().rev().find_map(|part| match part {
            Part::Run(letters, ..) => Some(*letters),
            _ => None,
        });
        byte.is_ascii_alphanumeric() || byte == b'_' || (byte != b'.' && last.is_some_and(|letters| letters.has(byte)))
    }
}

use Letters::{Alphanumeric, AnyHex, Base64, Base64Url, Digits, Dotted, Hex, Lower, Upper, Url};
use Part::{Behind, Is, Named, One, Run};

/// Where one may begin and how far it may reach. Telegram's begins with a number, Mailchimp's ends with a place.
pub const PATTERN: &str = concat!(
    "(?:(?:AKIA|ASIA|ABIA|ACCA|ABSK|AIza|GOCSPX-|LTAI|EAA[0-9A-Z]|NRAK-|PMAK-|HRKU-AA|SG\\.|SK[0-9a-f]",
    "|1//0|ya29\\.|dapi[0-9a-f]|ATATT3|AGE-SECRET-KEY-1|dt0c01\\.|dckr_|do[opr]_v1_|dp\\.[ps]t\\.",
    "|figd_|fm[12][ar]?_|gh[opsur]_|github_pat_|gl(?:pat|dt|rt|cbt|ptt|ft|soat|imt|agent|oas|ffct)-|glc_|glsa_|gsk_|hf_|hv[bs]\\.|key-[0-9a-f]|lin_api_|lsv2_",
    "|npm_|ntn_|nvapi-|pcsk_|pplx-|pscale_|pul-|pypi-|r8_|rk_|rubygems_|sb[p]?_|sgp_|shp(?:at|ca|pa|ss|ua)_",
    "|sk-|sk_|sntry|sq0|tgp_v1_|tvly-|whsec_|xai-|xapp-|xkeysib-|xox[a-eoprs][-.]|(?:bot)?[0-9]+:AA",
    "|(?i-u:(?:aws|azure|storage)?(?:account_?key|secret_?access_?key|aws_secret_?key))[\"': =>\\\\]+)[A-Za-z0-9_.=+/-]+",
    "|hooks\\.slack\\.com/[A-Za-z0-9/]+|[0-9a-f]+-us[0-9]+)"
);

/// What GitLab's tokens are for.
const GITLAB: Part = One(&[
    "glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glsoat-", "glimt-", "glagent-", "gloas-", "glffct-",
]);

/// The longer beginning before the shorter one.
pub static FORMS: [Form; 77] = [
    // Clouds.
    Form(&[One(&["AKIA", "ASIA", "ABIA", "ACCA"]), Run(Upper, 16, 16)]),
    Form(&[Is("ABSK"), Run(Base64, 109, 271)]),
    Form(&[Named(&["secret_access_key", "secretaccesskey", "aws_secret_key"]), Run(Base64, 40, 40)]),
    Form(&[Named(&["accountkey", "account_key"]), Run(Base64, 88, 88)]),
    Form(&[Is("AIza"), Run(Url, 35, 35)]),
    Form(&[Is("GOCSPX-"), Run(Url, 28, 28)]),
    Form(&[Is("ya29."), Run(Dotted, 20, 1024)]),
    Form(&[Is("1//0"), Run(Url, 40, 200)]),
    Form(&[Is("LTAI"), Run(Alphanumeric, 12, 26)]),
    Form(&[One(&["dop_v1_", "doo_v1_", "dor_v1_"]), Run(Hex, 64, 64)]),
    Form(&[Is("HRKU-AA"), Run(Url, 58, 58)]),
    Form(&[One(&["fm1a_", "fm1r_", "fm2_"]), Run(Base64, 100, 1024)]),
    // Models.
    Form(&[Is("sk-ant-"), Run(Lower, 3, 10), Is("-"), Run(Url, 80, 140)]),
    Form(&[One(&["sk-proj-", "sk-svcacct-", "sk-admin-"]), Run(Url, 40, 220)]),
    Form(&[Is("sk-or-v1-"), Run(Hex, 64, 64)]),
    Form(&[Is("sk-"), Run(Alphanumeric, 32, 64)]),
    Form(&[Is("hf_"), Run(Alphanumeric, 34, 40)]),
    Form(&[Is("gsk_"), Run(Alphanumeric, 48, 56)]),
    Form(&[Is("xai-"), Run(Alphanumeric, 80, 80)]),
    Form(&[Is("r8_"), Run(Alphanumeric, 37, 37)]),
    Form(&[Is("pplx-"), Run(Alphanumeric, 48, 56)]),
    Form(&[Is("nvapi-"), Run(Url, 60, 70)]),
    Form(&[Is("pcsk_"), Run(Alphanumeric, 4, 8), Is("_"), Run(Alphanumeric, 50, 72)]),
    Form(&[Is("tgp_v1_"), Run(Url, 43, 43)]),
    Form(&[Is("tvly-"), Run(Url, 32, 60)]),
    Form(&[Is("lsv2_"), Run(Lower, 2, 2), Is("_"), Run(Hex, 32, 32), Is("_"), Run(Hex, 10, 10)]),
    // Code, packages and their delivery. GitHub's server-to-server tokens have had a JWT in them since 2026.
    Form(&[Is("github_pat_"), Run(Alphanumeric, 22, 22), Is("_"), Run(Alphanumeric, 59, 59)]),
    Form(&[Is("ghs_"), Run(Digits, 1, 12), Is("_eyJ"), Run(Dotted, 100, 1500)]),
    Form(&[One(&["ghp_", "gho_", "ghu_", "ghs_", "ghr_"]), Run(Alphanumeric, 36, 251)]),
    Form(&[GITLAB, Run(Url, 27, 300), Is("."), Run(Lower, 2, 2), Is("."), Run(Lower, 7, 9)]),
    Form(&[GITLAB, Run(Url, 27, 300), Is("."), Run(Lower, 9, 9)]),
    Form(&[GITLAB, Run(Url, 20, 64)]),
    Form(&[Is("npm_"), Run(Alphanumeric, 36, 36)]),
    Form(&[Is("pypi-AgE"), Run(Url, 60, 1024)]),
    Form(&[Is("rubygems_"), Run(Hex, 48, 48)]),
    Form(&[One(&["dckr_pat_", "dckr_oat_"]), Run(Url, 27, 32)]),
    Form(&[Is("pul-"), Run(Hex, 40, 40)]),
    Form(&[Is("sgp_"), Run(Alphanumeric, 16, 16), Is("_"), Run(Hex, 40, 40)]),
    Form(&[Is("sgp_"), Run(Hex, 40, 40)]),
    Form(&[Is("ATATT3"), Run(Base64Url, 100, 300)]),
    Form(&[Is("lin_api_"), Run(Alphanumeric, 40, 40)]),
    Form(&[Is("figd_"), Run(Url, 38, 60)]),
    Form(&[Is("ntn_"), Run(Alphanumeric, 46, 46)]),
    Form(&[Is("PMAK-"), Run(Hex, 24, 24), Is("-"), Run(Hex, 34, 34)]),
    // Data and what watches over it.
    Form(&[Is("dapi"), Run(Hex, 32, 32), Is("-"), Run(Digits, 1, 1)]),
    Form(&[Is("dapi"), Run(Hex, 32, 32)]),
    Form(&[One(&["pscale_tkn_", "pscale_pw_", "pscale_oauth_"]), Run(Dotted, 32, 64)]),
    Form(&[Is("sbp_"), Run(Hex, 40, 40)]),
    Form(&[Is("sb_secret_"), Run(Url, 30, 45)]),
    Form(&[Is("hvs."), Run(Url, 24, 300)]),
    Form(&[Is("hvb."), Run(Url, 100, 300)]),
    Form(&[Is("dp.pt."), Run(Alphanumeric, 40, 44)]),
    Form(&[Is("dp.st."), Run(Dotted, 40, 80)]),
    Form(&[Is("dt0c01."), Run(Upper, 24, 24), Is("."), Run(Upper, 64, 64)]),
    Form(&[Is("glc_"), Run(Base64, 32, 400)]),
    Form(&[Is("glsa_"), Run(Alphanumeric, 32, 32), Is("_"), Run(AnyHex, 8, 8)]),
    Form(&[Is("NRAK-"), Run(Upper, 27, 27)]),
    Form(&[Is("sntryu_"), Run(Hex, 64, 64)]),
    Form(&[Is("sntrys_"), Run(Base64, 60, 500), Is("_"), Run(Base64, 43, 43)]),
    Form(&[Is("AGE-SECRET-KEY-1"), Run(Upper, 58, 58)]),
    // Messages, money and shops.
    Form(&[Is("xapp-"), Run(Digits, 1, 1), Is("-"), Run(Url, 40, 120)]),
    Form(&[One(&["xoxe.xoxb-", "xoxe.xoxp-"]), Run(Url, 100, 200)]),
    Form(&[One(&["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxo-", "xoxc-", "xoxd-", "xoxe-"]), Run(Url, 16, 220)]),
    Form(&[Is("hooks.slack.com/"), Run(Lower, 8, 9), Is("/"), Run(Base64, 40, 60)]),
    Form(&[Run(Digits, 8, 10), Is(":AA"), Run(Url, 33, 33)]),
    Form(&[Behind("bot"), Run(Digits, 8, 10), Is(":AA"), Run(Url, 33, 33)]),
    Form(&[Is("SG."), Run(Url, 22, 22), Is("."), Run(Url, 43, 43)]),
    Form(&[Is("SK"), Run(Hex, 32, 32)]),
    Form(&[Is("key-"), Run(Hex, 32, 32)]),
    Form(&[Run(Hex, 32, 32), Is("-us"), Run(Digits, 1, 2)]),
    Form(&[Is("xkeysib-"), Run(Hex, 64, 64), Is("-"), Run(Alphanumeric, 16, 16)]),
    Form(&[One(&["sk_live_", "sk_test_", "rk_live_", "rk_test_"]), Run(Alphanumeric, 16, 120)]),
    Form(&[Is("whsec_"), Run(Base64, 32, 64)]),
    Form(&[One(&["sq0atp-", "sq0csp-", "sq0idp-"]), Run(Url, 22, 60)]),
    Form(&[Is("EAAA"), Run(Url, 60, 60)]),
    Form(&[Is("EAA"), Run(Upper, 1, 1), Run(Alphanumeric, 100, 400)]),
    Form(&[One(&["shpat_", "shpca_", "shppa_", "shpss_", "shpua_"]), Run(AnyHex, 32, 32)]),
];
