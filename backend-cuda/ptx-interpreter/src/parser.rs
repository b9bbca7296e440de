//! Reads PTX text into [`Module`]: recursive descent, one token ahead.

mod cursor;
mod declaration;
mod operand;

use crate::ast::{Function, Instruction, Module, Statement, Type};
use crate::error::ParseError;
use cursor::Cursor;

/// Blocks inside blocks that are read; deeper ones are refused rather than overflow the stack.
const MAX_NESTING: usize = 64;

/// Reads PTX text.
///
/// # Errors
/// The first line that is not PTX as this interpreter knows it. It never panics, whatever the text.
pub fn parse(source: &str) -> Result<Module, ParseError> {
    let mut cursor = Cursor::new(source)?;
    let mut module = Module::default();
    while !cursor.at_end() {
        let line = cursor.line();
        match cursor.word()? {
            ".version" => module.version = version(&mut cursor)?,
            ".target" => module.target = target(&mut cursor)?,
            ".address_size" => {
                let size = cursor.integer()?;
                if size != 64 {
                    return Err(ParseError::new(line, format!(".address_size {size}: only 64 is supported")));
                }
            }
            ".visible" | ".extern" | ".weak" | ".common"
                if matches!(cursor.peek_word(), Some(".entry" | ".func")) => {}
            ".entry" => module.functions.extend(function(&mut cursor, true)?),
            ".func" => module.functions.extend(function(&mut cursor, false)?),
            ".file" | ".pragma" => cursor.skip_line(line),
            // What debuggers read.
            ".section" => cursor.skip_past('}')?,
            ".alias" => cursor.skip_past(';')?,
            first => module.variables.extend(declaration::variables(&mut cursor, first, line)?),
        }
    }
    Ok(module)
}

fn version(cursor: &mut Cursor<'_>) -> Result<(u32, u32), ParseError> {
    // `9.0` is lexed as a decimal number.
    let value = cursor.decimal()?;
    let major = value.trunc();
    Ok((major as u32, ((value - major) * 10.0).round() as u32))
}

fn target(cursor: &mut Cursor<'_>) -> Result<u32, ParseError> {
    let line = cursor.line();
    let name = cursor.word()?;
    while cursor.accept(',') {
        cursor.word()?;
    }
    let digits = name.strip_prefix("sm_").map(|n| n.trim_end_matches(|c: char| c.is_ascii_alphabetic()));
    digits
        .and_then(|n| n.parse().ok())
        .ok_or_else(|| ParseError::new(line, format!(".target {name}: expected sm_NN, such as sm_75")))
}

/// A function after its `.entry` or `.func`; `None` for a declaration without a body.
fn function(cursor: &mut Cursor<'_>, entry: bool) -> Result<Option<Function>, ParseError> {
    while cursor.accept_word(".noreturn") {}
    let results = if cursor.peek('(') { declaration::parameters(cursor)? } else { Vec::new() };
    let line = cursor.line();
    let name = cursor.word()?.to_owned();
    let parameters = if cursor.peek('(') { declaration::parameters(cursor)? } else { Vec::new() };
    let mut max_threads = None;
    while let Some(directive) = cursor.peek_word() {
        cursor.word()?;
        match directive {
            ".maxntid" | ".reqntid" => max_threads = Some(product(cursor)?),
            ".noreturn" => {}
            // Hints to the register allocator: nothing to do here.
            ".minnctapersm" | ".maxnctapersm" | ".maxnreg" => drop(cursor.integer()?),
            ".pragma" => cursor.skip_past(';')?,
            other => return Err(cursor.error(format!("directive {other} of a function is not supported"))),
        }
    }
    if cursor.accept(';') {
        return Ok(None);
    }
    cursor.expect('{')?;
    let body = statements(cursor, MAX_NESTING)?;
    Ok(Some(Function { name, entry, results, parameters, max_threads, body, line }))
}

fn product(cursor: &mut Cursor<'_>) -> Result<u32, ParseError> {
    let mut product = cursor.integer()?;
    while cursor.accept(',') {
        product = product.saturating_mul(cursor.integer()?);
    }
    Ok(u32::try_from(product).unwrap_or(u32::MAX))
}

/// Statements up to and with the closing brace.
fn statements(cursor: &mut Cursor<'_>, depth: usize) -> Result<Vec<Statement>, ParseError> {
    let mut out = Vec::new();
    loop {
        let line = cursor.line();
        if cursor.accept('}') {
            return Ok(out);
        }
        if cursor.accept('{') {
            let depth = depth.checked_sub(1).ok_or_else(|| cursor.error("blocks are nested too deeply"))?;
            out.push(Statement::Block(statements(cursor, depth)?));
        } else if cursor.accept(';') {
        } else if cursor.accept('@') {
            let negated = cursor.accept('!');
            let guard = cursor.word()?.to_owned();
            let opcode = cursor.word()?;
            out.push(Statement::Instruction(instruction(cursor, Some((guard, negated)), opcode, line)?));
        } else {
            statement(cursor, line, &mut out)?;
        }
    }
}

fn statement(cursor: &mut Cursor<'_>, line: u32, out: &mut Vec<Statement>) -> Result<(), ParseError> {
    let word = cursor.word()?;
    match word {
        ".reg" => registers(cursor, out)?,
        ".loc" => cursor.skip_line(line),
        ".pragma" => cursor.skip_past(';')?,
        _ if cursor.accept(':') => match cursor.peek_word() {
            Some(".branchtargets") => {
                cursor.word()?;
                out.push(Statement::Targets(word.to_owned(), cursor.names()?, line));
            }
            Some(".callprototype" | ".calltargets") => cursor.skip_past(';')?,
            _ => out.push(Statement::Label(word.to_owned(), line)),
        },
        _ if word.starts_with('.') => {
            out.extend(declaration::variables(cursor, word, line)?.into_iter().map(Statement::Variable));
        }
        _ => out.push(Statement::Instruction(instruction(cursor, None, word, line)?)),
    }
    Ok(())
}

fn registers(cursor: &mut Cursor<'_>, out: &mut Vec<Statement>) -> Result<(), ParseError> {
    let element = declaration::element_type(cursor)?;
    loop {
        let name = cursor.word()?.to_owned();
        let count = if cursor.accept('<') {
            let count = cursor.integer()?;
            cursor.expect('>')?;
            Some(u32::try_from(count).unwrap_or(u32::MAX))
        } else {
            None
        };
        out.push(Statement::Register(element, name, count));
        if !cursor.accept(',') {
            return cursor.expect(';');
        }
    }
}

fn instruction(
    cursor: &mut Cursor<'_>,
    guard: Option<(String, bool)>,
    opcode: &str,
    line: u32,
) -> Result<Instruction, ParseError> {
    let mut operands = Vec::new();
    if !cursor.accept(';') {
        loop {
            operands.push(operand::operand(cursor, MAX_NESTING)?);
            if !cursor.accept(',') {
                break;
            }
        }
        cursor.expect(';')?;
    }
    Ok(Instruction { line, guard, opcode: opcode.to_owned(), operands })
}

/// The type of this directive (`.f32`).
fn type_of(directive: &str) -> Option<Type> {
    directive.strip_prefix('.').and_then(Type::from_name)
}
