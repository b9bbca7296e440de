//! Splits PTX text into tokens, each with its line.

use crate::error::ParseError;

/// One token of PTX text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Token<'a> {
    /// A name, register, directive or opcode with its dots: `%tid.x`, `.reg`, `ld.global.f32`.
    Word(&'a str),
    /// An integer; negative ones are a `-` before it.
    Integer(u64),
    /// The bits of a floating-point literal, single (`0f3F800000`) or double (`0d…`, `1.5`).
    Single(u32),
    /// See [`Token::Single`].
    Double(u64),
    /// Text in quotes, without them.
    Text(&'a str),
    /// Any other character.
    Symbol(char),
}

/// All tokens of `source`, with lines counted from one.
///
/// # Errors
/// A number that cannot be read, an unterminated comment or text, or a character that PTX does not have.
pub fn tokens(source: &str) -> Result<Vec<(Token<'_>, u32)>, ParseError> {
    let mut out = Vec::with_capacity(source.len() / 4);
    let mut rest = source;
    let mut line = 1u32;
    while let Some(c) = rest.chars().next() {
        if c == '\n' {
            line += 1;
            rest = &rest[1..];
        } else if c.is_whitespace() {
            rest = &rest[c.len_utf8()..];
        } else if rest.starts_with("//") {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
        } else if rest.starts_with("/*") {
            let end = rest.find("*/").ok_or_else(|| ParseError::new(line, "comment without its end `*/`"))?;
            line += newlines(&rest[..end]);
            rest = &rest[end + 2..];
        } else if c == '"' {
            let end =
                rest[1..].find('"').ok_or_else(|| ParseError::new(line, "text without its closing quote"))?;
            out.push((Token::Text(&rest[1..=end]), line));
            line += newlines(&rest[1..=end]);
            rest = &rest[end + 2..];
        } else if c.is_ascii_digit() {
            let (token, length) = number(rest).map_err(|e| ParseError::new(line, e))?;
            out.push((token, line));
            rest = &rest[length..];
        } else if starts_word(c) {
            let length = word_length(rest);
            out.push((Token::Word(&rest[..length]), line));
            rest = &rest[length..];
        } else if "{}()[]<>,;:=+-!@|*/&~".contains(c) {
            out.push((Token::Symbol(c), line));
            rest = &rest[1..];
        } else {
            return Err(ParseError::new(line, format!("character {c:?} has no meaning in PTX")));
        }
    }
    Ok(out)
}

fn newlines(text: &str) -> u32 {
    text.bytes().filter(|&b| b == b'\n').count() as u32
}

fn starts_word(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, '_' | '$' | '%' | '.')
}

/// Bytes of the word that `text` starts with. `::` joins the scopes of newer modifiers (`ld.shared::cta`), a single
/// colon ends a label. A directive ends where the next one starts (`.reg.b32`).
fn word_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut length = 1;
    while let Some(&b) = bytes.get(length) {
        if b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$') || (b == b'.' && bytes[0] != b'.') {
            length += 1;
        } else if bytes[length..].starts_with(b"::") {
            length += 2;
        } else {
            break;
        }
    }
    length
}

fn number(text: &str) -> Result<(Token<'_>, usize), String> {
    let length = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(text.len());
    let word = &text[..length];
    let bad = || format!("`{word}` is not a number that PTX has");
    let hexadecimal = |digits: &str| u64::from_str_radix(digits, 16).map_err(|_| bad());
    let token = match word.get(..2) {
        Some("0f" | "0F") if length == 10 => Token::Single(hexadecimal(&word[2..])? as u32),
        Some("0d" | "0D") if length == 18 => Token::Double(hexadecimal(&word[2..])?),
        Some("0x" | "0X") => Token::Integer(hexadecimal(word[2..].trim_end_matches('U'))?),
        _ if word.contains(['.', 'e', 'E']) => return decimal(text),
        _ => {
            let digits = word.trim_end_matches('U');
            let value = match digits.get(..2) {
                Some("0b" | "0B") => u64::from_str_radix(&digits[2..], 2),
                _ if digits.len() > 1 && digits.starts_with('0') => u64::from_str_radix(&digits[1..], 8),
                _ => digits.parse(),
            };
            Token::Integer(value.map_err(|_| bad())?)
        }
    };
    Ok((token, length))
}

/// A number with a point or an exponent, whose sign does not end it.
fn decimal(text: &str) -> Result<(Token<'_>, usize), String> {
    let mut length = 0;
    let mut after_exponent = false;
    for c in text.chars() {
        if !(c.is_ascii_digit()
            || c == '.'
            || matches!(c, 'e' | 'E')
            || (after_exponent && matches!(c, '+' | '-')))
        {
            break;
        }
        after_exponent = matches!(c, 'e' | 'E');
        length += 1;
    }
    let word = &text[..length];
    let value: f64 = word.parse().map_err(|_| format!("`{word}` is not a number that PTX has"))?;
    Ok((Token::Double(value.to_bits()), length))
}
