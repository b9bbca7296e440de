//! Declarations of variables and parameters.

use super::cursor::Cursor;
use super::type_of;
use crate::ast::{Initial, Space, Type, Variable};
use crate::error::ParseError;
use crate::lexer::Token;

/// Bytes that one variable may have: enough for any kernel, small enough to allocate for hostile text.
const MAX_BYTES: usize = 1 << 28;

/// Formal parameters or results, with their parentheses.
pub(super) fn parameters(cursor: &mut Cursor<'_>) -> Result<Vec<Variable>, ParseError> {
    cursor.expect('(')?;
    let mut out = Vec::new();
    while !cursor.accept(')') {
        let line = cursor.line();
        let first = cursor.word()?;
        out.push(variable(cursor, first, line)?);
        if !cursor.accept(',') {
            cursor.expect(')')?;
            break;
        }
    }
    Ok(out)
}

/// A declaration that starts with the directive `first`, up to and with its semicolon.
pub(super) fn variables(
    cursor: &mut Cursor<'_>,
    first: &str,
    line: u32,
) -> Result<Vec<Variable>, ParseError> {
    let mut out = vec![variable(cursor, first, line)?];
    while cursor.accept(',') {
        // Further names share the type of the first: `.shared .f32 a, b;`
        let mut next = out[0].clone();
        cursor.word()?.clone_into(&mut next.name);
        next.size = next.element.size();
        dimensions(cursor, &mut next)?;
        next.initial = initial(cursor, next.element)?;
        out.push(next);
    }
    cursor.expect(';')?;
    Ok(out)
}

fn variable(cursor: &mut Cursor<'_>, first: &str, line: u32) -> Result<Variable, ParseError> {
    let mut space = None;
    let mut external = false;
    let mut align = None;
    let mut lanes = 1;
    let mut word = first;
    let element = loop {
        match word {
            ".global" => space = Some(Space::Global),
            ".const" => space = Some(Space::Const),
            ".shared" => space = Some(Space::Shared),
            ".local" => space = Some(Space::Local),
            // A device function may have its parameters in registers; both are memory here.
            ".param" | ".reg" => space = Some(Space::Param),
            ".extern" => external = true,
            ".visible" | ".weak" | ".common" | ".ptr" | ".attribute" | ".managed" => {}
            ".align" => align = Some(alignment(cursor)?),
            ".v2" => lanes = 2,
            ".v4" => lanes = 4,
            other => {
                if let Some(element) = type_of(other) {
                    break element;
                }
                return Err(ParseError::new(
                    line,
                    format!("expected a type or a state space, found `{other}`"),
                ));
            }
        }
        word = cursor.word()?;
    };
    // What follows a kernel parameter's type says where its pointer points and how it is aligned there.
    let mut pointee = false;
    while let Some(word) = cursor.peek_word().filter(|w| w.starts_with('.')) {
        cursor.advance();
        match word {
            ".ptr" => pointee = true,
            ".align" if pointee => drop(alignment(cursor)?),
            ".align" => align = Some(alignment(cursor)?),
            ".global" | ".shared" | ".const" | ".local" if pointee => {}
            other => return Err(cursor.error(format!("`{other}` is not expected in a declaration"))),
        }
    }
    let space =
        space.ok_or_else(|| ParseError::new(line, "declaration without a state space such as .global"))?;
    let name = cursor.word()?.to_owned();
    let size = element.size() * lanes;
    let align = align.unwrap_or(size);
    let mut out = Variable { space, external, name, element, size, align, initial: Vec::new(), line };
    dimensions(cursor, &mut out)?;
    out.initial = initial(cursor, element)?;
    Ok(out)
}

/// `[4][8]` after a name; `[]` gives zero bytes.
fn dimensions(cursor: &mut Cursor<'_>, variable: &mut Variable) -> Result<(), ParseError> {
    while cursor.accept('[') {
        let length = if cursor.peek(']') { 0 } else { cursor.integer()? };
        cursor.expect(']')?;
        variable.size = usize::try_from(length)
            .ok()
            .and_then(|n| n.checked_mul(variable.size))
            .filter(|&n| n <= MAX_BYTES)
            .ok_or_else(|| cursor.error(format!("`{}` has more than {MAX_BYTES} bytes", variable.name)))?;
    }
    Ok(())
}

fn alignment(cursor: &mut Cursor<'_>) -> Result<usize, ParseError> {
    let value = cursor.integer()?;
    if value.is_power_of_two() && value <= 4096 {
        Ok(value as usize)
    } else {
        Err(cursor.error(format!(".align {value}: expected a power of two up to 4096")))
    }
}

/// `= {1, 2}`, `= 5` or nothing.
fn initial(cursor: &mut Cursor<'_>, ty: Type) -> Result<Vec<Initial>, ParseError> {
    let mut out = Vec::new();
    if !cursor.accept('=') {
        return Ok(out);
    }
    let mut open = 0usize;
    loop {
        if cursor.accept('{') {
            open += 1;
            continue;
        }
        if !cursor.peek('}') {
            out.push(element(cursor, ty)?);
        }
        while open > 0 && cursor.accept('}') {
            open -= 1;
        }
        if open == 0 {
            return Ok(out);
        }
        cursor.expect(',')?;
    }
}

fn element(cursor: &mut Cursor<'_>, ty: Type) -> Result<Initial, ParseError> {
    let bits = match cursor.token() {
        Some(Token::Word("generic")) => {
            cursor.advance();
            cursor.expect('(')?;
            let name = cursor.word()?.to_owned();
            let offset = if cursor.peek('+') || cursor.peek('-') { cursor.signed()? } else { 0 };
            cursor.expect(')')?;
            return Ok(Initial::Address(name, offset));
        }
        Some(Token::Word(name)) => {
            cursor.advance();
            let offset = if cursor.peek('+') || cursor.peek('-') { cursor.signed()? } else { 0 };
            return Ok(Initial::Address(name.to_owned(), offset));
        }
        Some(Token::Single(bits)) => u64::from(bits),
        Some(Token::Double(bits)) if ty == Type::F32 => u64::from((f64::from_bits(bits) as f32).to_bits()),
        Some(Token::Double(bits)) => bits,
        _ => return Ok(Initial::Bits(cursor.signed()? as u64)),
    };
    cursor.advance();
    Ok(Initial::Bits(bits))
}

/// The type that comes next.
pub(super) fn element_type(cursor: &mut Cursor<'_>) -> Result<Type, ParseError> {
    let line = cursor.line();
    let word = cursor.word()?;
    type_of(word).ok_or_else(|| ParseError::new(line, format!("`{word}` is not a type that is supported")))
}
