use std::fmt;
use std::str::FromStr;

/// The language of a track: three lower-case letters of ISO 639-2, for example `eng`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Language([u8; 3]);

impl Language {
    /// A code as a container has it. `None` for what is no code, and for `und`, which says that it is not known.
    pub fn new(code: [u8; 3]) -> Option<Self> {
        let code = code.map(|letter| letter.to_ascii_lowercase());
        (code.iter().all(u8::is_ascii_lowercase) && code != *b"und").then_some(Self(code))
    }

    /// The three letters.
    pub fn code(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or("und")
    }

    /// The language tag of RFC 5646, which asks for the code of two letters where there is one (2.2.1): `en`.
    pub fn tag(&self) -> &str {
        self.listed().map_or(self.code(), |(_, tag, _)| tag)
    }

    /// What the language calls itself, for a menu; the code where this is not known here.
    pub fn name(&self) -> &str {
        self.listed().map_or(self.code(), |(_, _, name)| name)
    }

    fn listed(self) -> Option<(&'static [&'static str], &'static str, &'static str)> {
        LISTED.iter().copied().find(|(codes, _, _)| codes.contains(&self.code()))
    }
}

impl FromStr for Language {
    type Err = NoLanguage;

    fn from_str(code: &str) -> Result<Self, NoLanguage> {
        code.as_bytes().try_into().ok().and_then(Self::new).ok_or(NoLanguage)
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Text that names no language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a language is three letters of ISO 639-2, for example eng")]
pub struct NoLanguage;

/// The languages that broadcasters use most: codes of ISO 639-2 (some have two, for terminology and for bibliographies),
/// tag, name.
const LISTED: &[(&[&str], &str, &str)] = &[
    (&["ara"], "ar", "العربية"),
    (&["ben"], "bn", "বাংলা"),
    (&["bul"], "bg", "Български"),
    (&["cat"], "ca", "Català"),
    (&["ces", "cze"], "cs", "Čeština"),
    (&["cym", "wel"], "cy", "Cymraeg"),
    (&["dan"], "da", "Dansk"),
    (&["deu", "ger"], "de", "Deutsch"),
    (&["ell", "gre"], "el", "Ελληνικά"),
    (&["eng"], "en", "English"),
    (&["est"], "et", "Eesti"),
    (&["eus", "baq"], "eu", "Euskara"),
    (&["fas", "per"], "fa", "فارسی"),
    (&["fin"], "fi", "Suomi"),
    (&["fra", "fre"], "fr", "Français"),
    (&["gle"], "ga", "Gaeilge"),
    (&["glg"], "gl", "Galego"),
    (&["heb"], "he", "עברית"),
    (&["hin"], "hi", "हिन्दी"),
    (&["hrv"], "hr", "Hrvatski"),
    (&["hun"], "hu", "Magyar"),
    (&["ind"], "id", "Bahasa Indonesia"),
    (&["isl", "ice"], "is", "Íslenska"),
    (&["ita"], "it", "Italiano"),
    (&["jpn"], "ja", "日本語"),
    (&["kor"], "ko", "한국어"),
    (&["lav"], "lv", "Latviešu"),
    (&["lit"], "lt", "Lietuvių"),
    (&["msa", "may"], "ms", "Bahasa Melayu"),
    (&["nld", "dut"], "nl", "Nederlands"),
    (&["nor"], "no", "Norsk"),
    (&["pol"], "pl", "Polski"),
    (&["por"], "pt", "Português"),
    (&["ron", "rum"], "ro", "Română"),
    (&["rus"], "ru", "Русский"),
    (&["slk", "slo"], "sk", "Slovenčina"),
    (&["slv"], "sl", "Slovenščina"),
    (&["spa"], "es", "Español"),
    (&["srp"], "sr", "Српски"),
    (&["swe"], "sv", "Svenska"),
    (&["tha"], "th", "ไทย"),
    (&["tur"], "tr", "Türkçe"),
    (&["ukr"], "uk", "Українська"),
    (&["vie"], "vi", "Tiếng Việt"),
    (&["zho", "chi"], "zh", "中文"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_become_tags_and_names() {
        let told = |code: &str| {
            let language: Language = code.parse().unwrap();
            (language.to_string(), language.tag().to_owned(), language.name().to_owned())
        };
        assert_eq!(told("eng"), ("eng".into(), "en".into(), "English".into()));
        assert_eq!(told("GER"), ("ger".into(), "de".into(), "Deutsch".into()));
        assert_eq!(told("deu"), ("deu".into(), "de".into(), "Deutsch".into()));
        assert_eq!(told("qaa"), ("qaa".into(), "qaa".into(), "qaa".into()));
    }

    #[test]
    fn what_is_no_language_is_none() {
        for code in ["und", "UND", "en", "engl", "e1g", "", "   ", "\0\0\0", "é1"] {
            assert_eq!(code.parse::<Language>(), Err(NoLanguage), "{code:?}");
        }
    }

    #[test]
    fn no_code_is_listed_twice() {
        let mut codes: Vec<&str> = LISTED.iter().flat_map(|(codes, ..)| codes.iter().copied()).collect();
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
        assert!(codes.iter().all(|code| code.parse::<Language>().is_ok()));
    }
}
