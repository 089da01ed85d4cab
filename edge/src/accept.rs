//! Content negotiation: RFC 9110 12.5.3.

/// Whether the values of `Accept-Encoding` allow a gzip response: `gzip` (or its alias `x-gzip`) with a weight above zero,
/// else `*` so.
pub(crate) fn gzip<'a>(values: impl IntoIterator<Item = &'a str>) -> bool {
    let mut wildcard = false;
    for coding in values.into_iter().flat_map(|value| value.split(',')) {
        let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
        let name = name.trim();
        if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
            return allowed(parameters);
        }
        if name == "*" {
            wildcard = allowed(parameters);
        }
    }
    wildcard
}

/// Whether the weight is above zero; one that does not parse is taken for zero.
fn allowed(parameters: &str) -> bool {
    let weight = parameters
        .split(';')
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
    weight.is_none_or(|(_, q)| q.trim().parse::<f32>().is_ok_and(|q| q > 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_needs_a_weight_above_zero() {
        let cases = [
            ("gzip", true),
            ("gzip, deflate, br", true),
            ("GZIP;q=0.1", true),
            ("x-gzip", true),
            ("br;q=1.0, gzip; q=0.8, *;q=0", true),
            ("*", true),
            ("*;q=0", false),
            ("gzip;q=0", false),
            ("gzip;q=0.000, *", false),
            ("*, gzip;q=0", false),
            ("gzip;q=high", false),
            ("identity", false),
            ("br", false),
            ("", false),
        ];
        for (value, expected) in cases {
            assert_eq!(gzip([value]), expected, "{value:?}");
        }
        assert!(gzip(["br", "gzip"]));
        assert!(!gzip([]));
    }
}
