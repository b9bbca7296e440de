//! A position among the tokens.

use crate::error::ParseError;
use crate::lexer::{Token, tokens};

/// Walks the tokens of one text.
pub(super) struct Cursor<'a> {
    tokens: Vec<(Token<'a>, u32)>,
    next: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(source: &'a str) -> Result<Self, ParseError> {
        Ok(Self { tokens: tokens(source)?, next: 0 })
    }

    pub(super) fn at_end(&self) -> bool {
        self.next == self.tokens.len()
    }

    /// Line of the next token, or of the last one.
    pub(super) fn line(&self) -> u32 {
        self.tokens.get(self.next).or(self.tokens.last()).map_or(1, |t| t.1)
    }

    pub(super) fn error(&self, message: impl Into<String>) -> ParseError {
        ParseError::new(self.line(), message)
    }

    fn unexpected(&self, expected: &str) -> ParseError {
        match self.token() {
            Some(token) => self.error(format!("expected {expected}, found {token:?}")),
            None => self.error(format!("expected {expected}, found the end of the text")),
        }
    }

    pub(super) fn token(&self) -> Option<Token<'a>> {
        self.tokens.get(self.next).map(|t| t.0)
    }

    pub(super) fn advance(&mut self) {
        self.next = (self.next + 1).min(self.tokens.len());
    }

    pub(super) fn peek(&self, symbol: char) -> bool {
        self.token() == Some(Token::Symbol(symbol))
    }

    pub(super) fn peek_word(&self) -> Option<&'a str> {
        match self.token() {
            Some(Token::Word(word)) => Some(word),
            _ => None,
        }
    }

    pub(super) fn accept(&mut self, symbol: char) -> bool {
        let found = self.peek(symbol);
        if found {
            self.advance();
        }
        found
    }

    pub(super) fn accept_word(&mut self, word: &str) -> bool {
        let found = self.peek_word() == Some(word);
        if found {
            self.advance();
        }
        found
    }

    pub(super) fn expect(&mut self, symbol: char) -> Result<(), ParseError> {
        if self.accept(symbol) { Ok(()) } else { Err(self.unexpected(&format!("`{symbol}`"))) }
    }

    pub(super) fn word(&mut self) -> Result<&'a str, ParseError> {
        let word = self.peek_word().ok_or_else(|| self.unexpected("a name or a directive"))?;
        self.advance();
        Ok(word)
    }

    /// Names between commas, up to and with a semicolon.
    pub(super) fn names(&mut self) -> Result<Vec<String>, ParseError> {
        let mut names = vec![self.word()?.to_owned()];
        while self.accept(',') {
            names.push(self.word()?.to_owned());
        }
        self.expect(';')?;
        Ok(names)
    }

    /// A non-negative integer.
    pub(super) fn integer(&mut self) -> Result<u64, ParseError> {
        let Some(Token::Integer(value)) = self.token() else { return Err(self.unexpected("an integer")) };
        self.advance();
        Ok(value)
    }

    /// An integer with any number of signs, as two's complement: PTX writes `+-4`.
    pub(super) fn signed(&mut self) -> Result<i64, ParseError> {
        let mut negative = false;
        loop {
            if self.accept('-') {
                negative = !negative;
            } else if !self.accept('+') {
                let value = self.integer()? as i64;
                return Ok(if negative { value.wrapping_neg() } else { value });
            }
        }
    }

    /// A number with or without a point.
    pub(super) fn decimal(&mut self) -> Result<f64, ParseError> {
        let value = match self.token() {
            Some(Token::Double(bits)) => f64::from_bits(bits),
            Some(Token::Integer(value)) => value as f64,
            _ => return Err(self.unexpected("a number")),
        };
        self.advance();
        Ok(value)
    }

    /// Skips tokens of this line.
    pub(super) fn skip_line(&mut self, line: u32) {
        while !self.at_end() && self.line() == line {
            self.advance();
        }
    }

    /// Skips up to and with a symbol.
    pub(super) fn skip_past(&mut self, symbol: char) -> Result<(), ParseError> {
        while !self.at_end() {
            if self.accept(symbol) {
                return Ok(());
            }
            self.advance();
        }
        Err(self.unexpected(&format!("`{symbol}`")))
    }
}
