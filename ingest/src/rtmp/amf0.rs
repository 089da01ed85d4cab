//! AMF 0 (Action Message Format, Adobe, December 2007), bounded in depth, values and bytes.

use super::Violation;

/// The deepest nesting of objects and arrays that is read.
pub const MAX_DEPTH: usize = 8;
/// The most values in one message, those inside objects and arrays included.
pub const MAX_ITEMS: usize = 512;
/// The most bytes of AMF0 that are read.
pub const MAX_LEN: usize = 64 * 1_024;

/// One AMF0 value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// 2.2: every number is a double.
    Number(f64),
    /// 2.3
    Boolean(bool),
    /// 2.4, 2.14 and 2.17: string, long string, XML document. Bytes that are not UTF-8 are replaced.
    String(String),
    /// 2.5, 2.10 and 2.18: object, ECMA array, typed object, without the name of its class.
    Object(Vec<(String, Value)>),
    /// 2.7, and 2.8 and 2.15: null, undefined, unsupported.
    Null,
    /// 2.12
    Array(Vec<Value>),
    /// 2.13: milliseconds since 1970, UTC.
    Date(f64),
}

impl Value {
    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a number.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The property `name` of an object.
    pub fn property(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(properties) => properties.iter().find(|(n, _)| n == name).map(|(_, value)| value),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

/// Reads all values of a message.
pub fn decode(data: &[u8]) -> Result<Vec<Value>, Violation> {
    if data.len() > MAX_LEN {
        return Err(Violation::AmfLength { length: data.len(), limit: MAX_LEN });
    }
    let mut decoder = Decoder { rest: data, items: 0 };
    let mut values = Vec::new();
    while !decoder.rest.is_empty() {
        values.push(decoder.value(0)?);
    }
    Ok(values)
}

/// Writes values one after another.
pub fn encode(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    for value in values {
        write_value(&mut out, value);
    }
    out
}

const NUMBER: u8 = 0x00;
const BOOLEAN: u8 = 0x01;
const STRING: u8 = 0x02;
const OBJECT: u8 = 0x03;
const NULL: u8 = 0x05;
const UNDEFINED: u8 = 0x06;
const ECMA_ARRAY: u8 = 0x08;
const OBJECT_END: u8 = 0x09;
const STRICT_ARRAY: u8 = 0x0a;
const DATE: u8 = 0x0b;
const LONG_STRING: u8 = 0x0c;
const UNSUPPORTED: u8 = 0x0d;
const XML_DOCUMENT: u8 = 0x0f;
const TYPED_OBJECT: u8 = 0x10;

struct Decoder<'a> {
    rest: &'a [u8],
    items: usize,
}

impl<'a> Decoder<'a> {
    /// Recurses at most [`MAX_DEPTH`] times.
    fn value(&mut self, depth: usize) -> Result<Value, Violation> {
        if depth > MAX_DEPTH {
            return Err(Violation::AmfDepth { limit: MAX_DEPTH });
        }
        self.items += 1;
        if self.items > MAX_ITEMS {
            return Err(Violation::AmfItems { limit: MAX_ITEMS });
        }
        match self.u8()? {
            NUMBER => self.f64().map(Value::Number),
            BOOLEAN => Ok(Value::Boolean(self.u8()? != 0)),
            STRING => self.short_string().map(Value::String),
            OBJECT => self.properties(depth),
            NULL | UNDEFINED | UNSUPPORTED => Ok(Value::Null),
            ECMA_ARRAY => {
                // 2.10: the count is a hint; the end marker ends it.
                self.u32()?;
                self.properties(depth)
            }
            STRICT_ARRAY => self.array(depth),
            DATE => {
                let millis = self.f64()?;
                // 2.13: the time zone is reserved and zero.
                self.take(2)?;
                Ok(Value::Date(millis))
            }
            LONG_STRING | XML_DOCUMENT => self.long_string().map(Value::String),
            TYPED_OBJECT => {
                self.short_string()?;
                self.properties(depth)
            }
            other => Err(Violation::AmfMarker(other)),
        }
    }

    fn properties(&mut self, depth: usize) -> Result<Value, Violation> {
        let mut properties = Vec::new();
        loop {
            // 2.11: an empty name and the end marker.
            if let [0, 0, OBJECT_END, rest @ ..] = self.rest {
                self.rest = rest;
                return Ok(Value::Object(properties));
            }
            let name = self.short_string()?;
            properties.push((name, self.value(depth + 1)?));
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, Violation> {
        let count = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        if count > MAX_ITEMS - self.items {
            return Err(Violation::AmfItems { limit: MAX_ITEMS });
        }
        (0..count).map(|_| self.value(depth + 1)).collect::<Result<_, _>>().map(Value::Array)
    }

    fn short_string(&mut self) -> Result<String, Violation> {
        let length = self.fixed().map(u16::from_be_bytes)?;
        self.text(usize::from(length))
    }

    fn long_string(&mut self) -> Result<String, Violation> {
        let length = self.u32()?;
        self.text(usize::try_from(length).unwrap_or(usize::MAX))
    }

    fn text(&mut self, length: usize) -> Result<String, Violation> {
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    fn u8(&mut self) -> Result<u8, Violation> {
        self.fixed::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Result<u32, Violation> {
        self.fixed().map(u32::from_be_bytes)
    }

    fn f64(&mut self) -> Result<f64, Violation> {
        self.fixed().map(f64::from_be_bytes)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Violation> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(Violation::AmfTruncated)?;
        self.rest = rest;
        Ok(*head)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Violation> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or(Violation::AmfTruncated)?;
        self.rest = rest;
        Ok(head)
    }
}

fn write_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Number(number) => {
            out.push(NUMBER);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Boolean(flag) => out.extend_from_slice(&[BOOLEAN, u8::from(*flag)]),
        Value::String(text) => write_string(out, text),
        Value::Object(properties) => {
            out.push(OBJECT);
            for (name, value) in properties {
                write_name(out, name);
                write_value(out, value);
            }
            out.extend_from_slice(&[0, 0, OBJECT_END]);
        }
        Value::Null => out.push(NULL),
        Value::Array(items) => {
            out.push(STRICT_ARRAY);
            out.extend_from_slice(&u32::try_from(items.len()).unwrap_or(u32::MAX).to_be_bytes());
            for item in items {
                write_value(out, item);
            }
        }
        Value::Date(millis) => {
            out.push(DATE);
            out.extend_from_slice(&millis.to_be_bytes());
            out.extend_from_slice(&[0, 0]);
        }
    }
}

fn write_string(out: &mut Vec<u8>, text: &str) {
    if let Ok(length) = u16::try_from(text.len()) {
        out.push(STRING);
        out.extend_from_slice(&length.to_be_bytes());
    } else {
        out.push(LONG_STRING);
        out.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
    }
    out.extend_from_slice(text.as_bytes());
}

/// A property's name. 2.5: at most 65,535 bytes; a longer one is cut.
fn write_name(out: &mut Vec<u8>, name: &str) {
    let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend(name.bytes().take(usize::from(length)));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<f64>().prop_filter("NaN is not equal to itself", |n| !n.is_nan()).prop_map(Value::Number),
            any::<bool>().prop_map(Value::Boolean),
            ".{0,12}".prop_map(Value::String),
            Just(Value::Null),
            (0.0..1e13).prop_map(Value::Date),
        ];
        leaf.prop_recursive(4, 48, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                proptest::collection::vec(("[a-z]{1,6}", inner), 0..6).prop_map(Value::Object),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_the_same(value in values()) {
            prop_assert_eq!(decode(&encode(std::slice::from_ref(&value))).unwrap(), [value]);
        }

        #[test]
        fn any_bytes_decode_or_are_refused(data in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = decode(&data);
        }
    }

    #[test]
    fn a_string_past_16_bits_is_a_long_string() {
        let value = Value::String("x".repeat(65_530));
        assert_eq!(decode(&encode(std::slice::from_ref(&value))).unwrap(), [value]);
        assert_eq!(encode(&[Value::String("x".repeat(65_536))])[..5], [LONG_STRING, 0, 1, 0, 0]);
    }

    #[test]
    fn an_ecma_array_is_read_to_its_end_marker_whatever_it_counts() {
        let data = b"\x08\xff\xff\xff\xff\0\x01a\x05\0\0\x09";
        assert_eq!(decode(data).unwrap(), [Value::Object(vec![("a".into(), Value::Null)])]);
    }

    #[test]
    fn nesting_is_read_to_the_limit_and_refused_past_it() {
        let nested = |depth: usize| {
            let mut data = [STRICT_ARRAY, 0, 0, 0, 1].repeat(depth);
            data.push(NULL);
            decode(&data)
        };
        assert!(nested(MAX_DEPTH).is_ok());
        for depth in [MAX_DEPTH + 1, 13_000] {
            assert_eq!(nested(depth), Err(Violation::AmfDepth { limit: MAX_DEPTH }));
        }
        assert_eq!(nested(200_000), Err(Violation::AmfLength { length: 1_000_001, limit: MAX_LEN }));
    }

    #[test]
    fn objects_nested_past_the_limit_are_refused() {
        let data = [OBJECT, 0, 1, b'a'].repeat(16_000);
        assert_eq!(decode(&data), Err(Violation::AmfDepth { limit: MAX_DEPTH }));
    }

    #[test]
    fn an_array_length_of_2_to_the_32_is_refused_before_anything_is_allocated() {
        assert_eq!(decode(&[STRICT_ARRAY, 0xff, 0xff, 0xff, 0xff]), Err(Violation::AmfItems { limit: MAX_ITEMS }));
    }

    #[test]
    fn nulls_are_counted_and_refused_past_the_limit() {
        assert_eq!(decode(&[NULL; MAX_ITEMS]).unwrap().len(), MAX_ITEMS);
        assert_eq!(decode(&[NULL; MAX_ITEMS + 1]), Err(Violation::AmfItems { limit: MAX_ITEMS }));
    }

    #[test]
    fn what_is_not_taken_is_named() {
        assert_eq!(decode(&[0x07, 0, 1]), Err(Violation::AmfMarker(0x07)), "a reference");
        assert_eq!(decode(&[0x11, 0x0a]), Err(Violation::AmfMarker(0x11)), "AMF3");
        for truncated in
            [&[NUMBER, 0][..], &[STRING, 0, 5, b'a'], &[OBJECT, 0, 0], &[LONG_STRING, 0xff, 0xff, 0xff, 0xff]]
        {
            assert_eq!(decode(truncated), Err(Violation::AmfTruncated));
        }
    }
}
