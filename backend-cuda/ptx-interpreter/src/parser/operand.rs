//! Operands of instructions.

use super::cursor::Cursor;
use crate::ast::Operand;
use crate::error::ParseError;
use crate::lexer::Token;

/// Reads one operand; `depth` bounds vectors in lists.
pub(super) fn operand(cursor: &mut Cursor<'_>, depth: usize) -> Result<Operand, ParseError> {
    let depth = depth.checked_sub(1).ok_or_else(|| cursor.error("operands are nested too deeply"))?;
    let first = match cursor.token() {
        Some(Token::Symbol('[')) => address(cursor)?,
        Some(Token::Symbol('{')) => Operand::Vector(sequence(cursor, '}', depth)?),
        Some(Token::Symbol('(')) => Operand::List(sequence(cursor, ')', depth)?),
        Some(Token::Symbol('!')) => {
            cursor.advance();
            Operand::Not(cursor.word()?.to_owned())
        }
        Some(Token::Symbol('-' | '+')) => negative(cursor)?,
        Some(Token::Integer(value)) => literal(cursor, Operand::Integer(value)),
        Some(Token::Single(bits)) => literal(cursor, Operand::Single(bits)),
        Some(Token::Double(bits)) => literal(cursor, Operand::Double(bits)),
        _ => match cursor.word()? {
            "_" => Operand::Sink,
            name if cursor.peek('+') || cursor.peek('-') => {
                Operand::Offset(name.to_owned(), cursor.signed()?)
            }
            name => Operand::Name(name.to_owned()),
        },
    };
    if cursor.accept('|') {
        return Ok(Operand::Pair(Box::new(first), Box::new(operand(cursor, depth)?)));
    }
    Ok(first)
}

fn literal(cursor: &mut Cursor<'_>, operand: Operand) -> Operand {
    cursor.advance();
    operand
}

fn negative(cursor: &mut Cursor<'_>) -> Result<Operand, ParseError> {
    let negative = cursor.peek('-');
    cursor.advance();
    Ok(match cursor.token() {
        Some(Token::Double(bits)) => literal(cursor, Operand::Double(bits ^ (u64::from(negative) << 63))),
        Some(Token::Single(bits)) => literal(cursor, Operand::Single(bits ^ (u32::from(negative) << 31))),
        _ => {
            let value = cursor.signed()?;
            Operand::Integer(if negative { value.wrapping_neg() } else { value } as u64)
        }
    })
}

fn address(cursor: &mut Cursor<'_>) -> Result<Operand, ParseError> {
    cursor.expect('[')?;
    let base = cursor.peek_word().map(str::to_owned);
    if base.is_some() {
        cursor.advance();
    }
    let offset = if base.is_none() || cursor.peek('+') || cursor.peek('-') { cursor.signed()? } else { 0 };
    cursor.expect(']')?;
    Ok(Operand::Address(base, offset))
}

fn sequence(cursor: &mut Cursor<'_>, end: char, depth: usize) -> Result<Vec<Operand>, ParseError> {
    cursor.advance();
    let mut out = Vec::new();
    while !cursor.accept(end) {
        out.push(operand(cursor, depth)?);
        if !cursor.accept(',') {
            cursor.expect(end)?;
            break;
        }
    }
    Ok(out)
}
