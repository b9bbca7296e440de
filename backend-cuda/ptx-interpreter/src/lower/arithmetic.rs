//! Instructions that compute: moves, conversions, comparisons and the functions of [`crate::alu`].

use super::{Lowering, Request};
use crate::alu::{self, Function};
use crate::ast::{Operand, Type};
use crate::error::ParseError;
use crate::program::{Carry, Condition, Half, Logic, Op, Register};

impl Lowering<'_> {
    /// Lowers a computing instruction; `false` if `name` is none.
    pub(super) fn arithmetic(&mut self, name: &str, r: &mut Request<'_>) -> Result<bool, ParseError> {
        let op = match name {
            "mov" => self.mov(r)?,
            "cvt" => self.cvt(r)?,
            "setp" => self.setp(r)?,
            "set" => self.set(r)?,
            "selp" => self.selp(r)?,
            "lop3" => self.lop3(r)?,
            "bfi" => self.bfi(r)?,
            "and" | "or" | "xor" | "not" if r.modifiers.last_type() == Some(Type::Pred) => {
                self.logic(name, r)?
            }
            "addc" | "subc" | "madc" => self.carry(name, r)?,
            "add" | "sub" | "mad" if r.modifiers.rest().contains(&"cc") => self.carry(name, r)?,
            _ => match self.function(name, r)? {
                Some(op) => op,
                None => return Ok(false),
            },
        };
        self.emit(op, r.guard, r.line)?;
        Ok(true)
    }

    fn function(&mut self, name: &str, r: &mut Request<'_>) -> Result<Option<Op>, ParseError> {
        let Some((function, ty)) = alu::function(name, &mut r.modifiers) else { return Ok(None) };
        // Shifts take a 32-bit count, `mad.wide` a wide addend; both are read as what they are.
        let count = if matches!(name, "shl" | "shr" | "shf" | "bfe") { Type::U32 } else { ty };
        Ok(Some(match function {
            Function::Unary(f) => {
                let [d, a] = r.exactly()?;
                Op::Unary { f, d: self.result(d, r)?.0, a: self.source(a, ty, r)? }
            }
            Function::Binary(f) => {
                let [d, a, b] = r.exactly()?;
                Op::Binary {
                    f,
                    d: self.result(d, r)?.0,
                    a: self.source(a, ty, r)?,
                    b: self.source(b, count, r)?,
                }
            }
            Function::Ternary(f) => {
                let [d, a, b, c] = r.exactly()?;
                let wide = if name == "mad" && r.opcode.contains(".wide") { Type::S64 } else { count };
                let (d, a) = (self.result(d, r)?.0, self.source(a, ty, r)?);
                let second = if name == "shf" { ty } else { count };
                Op::Ternary { f, d, a, b: self.source(b, second, r)?, c: self.source(c, wide, r)? }
            }
        }))
    }

    fn mov(&mut self, r: &mut Request<'_>) -> Result<Op, ParseError> {
        let ty = r.take_type()?;
        let [d, a] = r.exactly()?;
        if ty == Type::Pred {
            let Some(d) = self.predicate_result(d, r)? else { return Ok(Op::Nop) };
            return Ok(Op::Logic { logic: Logic::And, d, a: self.condition(a, r)?, b: Condition::ALWAYS });
        }
        if let (Operand::Vector(to), from) | (from, Operand::Vector(to)) = (d, a) {
            let bits = (8 * ty.size()).checked_div(to.len()).filter(|b| b * to.len() == 8 * ty.size());
            let bits =
                bits.ok_or_else(|| r.error("has a vector whose length does not divide the type"))? as u8;
            if matches!(d, Operand::Vector(_)) {
                let to = to.iter().map(|part| match part {
                    Operand::Sink => Ok(None),
                    part => self.result(part, r).map(|p| Some(p.0)),
                });
                let to = to.collect::<Result<_, _>>()?;
                return Ok(Op::Unpack { bits, to, a: self.source(from, ty, r)? });
            }
            let part = if bits == 16 { Type::B16 } else { Type::B32 };
            let from = to.iter().map(|p| self.source(p, part, r)).collect::<Result<_, _>>()?;
            return Ok(Op::Pack { bits, d: self.result(d, r)?.0, from });
        }
        let (d, _) = self.result(d, r)?;
        if let Operand::Name(name) = a
            && name.starts_with("%clock")
        {
            return Ok(Op::Clock { d });
        }
        Ok(Op::Move { d, a: self.source(a, ty, r)? })
    }

    fn cvt(&mut self, r: &mut Request<'_>) -> Result<Op, ParseError> {
        let conversion = alu::conversion(&mut r.modifiers).ok_or_else(|| r.error("needs two types"))?;
        if conversion.pairs() {
            let [d, a, b] = r.exactly()?;
            let (d, width) = self.result(d, r)?;
            let (a, b) = (self.source(a, Type::F32, r)?, self.source(b, Type::F32, r)?);
            return Ok(Op::Convert { conversion, width, d, a, b });
        }
        let [d, a] = r.exactly()?;
        let (d, width) = self.result(d, r)?;
        let a = self.source(a, conversion.source(), r)?;
        Ok(match conversion.fast() {
            Some(f) if usize::from(width) == 8 * conversion.result().size() => Op::Unary { f, d, a },
            _ => Op::Convert { conversion, width, d, a, b: a },
        })
    }

    fn setp(&mut self, r: &mut Request<'_>) -> Result<Op, ParseError> {
        let ty = r.take_type()?;
        let f = alu::comparison(ty, &mut r.modifiers)
            .ok_or_else(|| r.error("has no comparison of such a type"))?;
        let logic = r.modifiers.take_any(&LOGIC);
        let (d, a, b, c) = match (logic, r.operands) {
            (None, [d, a, b]) => (d, a, b, None),
            (Some(logic), [d, a, b, c]) => (d, a, b, Some((logic, self.condition(c, r)?))),
            _ => return Err(r.error("has a wrong number of operands")),
        };
        let (p, q) = match d {
            Operand::Pair(p, q) => (self.predicate_result(p, r)?, self.predicate_result(q, r)?),
            d => (self.predicate_result(d, r)?, None),
        };
        let p = match p {
            Some(p) => p,
            None => self.spare_predicate(r)?,
        };
        Ok(Op::Compare { f, a: self.source(a, ty, r)?, b: self.source(b, ty, r)?, with: c, p, q })
    }

    fn spare_predicate(&mut self, r: &Request<'_>) -> Result<u16, ParseError> {
        self.predicates += 1;
        u16::try_from(self.predicates - 1)
            .map_err(|_| r.error("makes the kernel use more than 65535 predicates"))
    }

    fn set(&mut self, r: &mut Request<'_>) -> Result<Op, ParseError> {
        let from = r.take_type()?;
        let to = r.take_type()?;
        let f = alu::comparison(from, &mut r.modifiers)
            .ok_or_else(|| r.error("has no comparison of such a type"))?;
        let yes = match to {
            Type::F32 => u64::from(1f32.to_bits()),
            Type::F16 => 0x3c00,
            Type::Bf16 => 0x3f80,
            Type::U32 | Type::S32 | Type::B32 => u64::from(u32::MAX),
            Type::U16 | Type::S16 | Type::B16 => u64::from(u16::MAX),
            _ => return Err(r.error("has a result that is no float and no integer of 16 or 32 bits")),
        };
        let [d, a, b] = r.exactly()?;
        Ok(Op::Set {
            f,
            yes,
            d: self.result(d, r)?.0,
            a: self.source(a, from, r)?,
            b: self.source(b, from, r)?,
        })
    }

    fn selp(&mut self, r: &mut Request<'_>) -> Result<Op, ParseError> {
        let ty = r.take_type()?;
        let [d, a, b, p] = r.exactly()?;
        let (a, b) = (self.source(a, ty, r)?, self.source(b, ty, r)?);
        Ok(Op::Select { d: self.result(d, r)?.0, a, b, p: self.condition(p, r)? })
    }

    fn logic(&mut self, name: &str, r: &mut Request<'_>) -> Result<Op, ParseError> {
        r.take_type()?;
        let (d, a, b, logic) = match (name, r.operands) {
            ("not", [d, a]) => (d, a, Condition::ALWAYS, Logic::Xor),
            (_, [d, a, b]) if name != "not" => {
                let logic = match name {
                    "and" => Logic::And,
                    "or" => Logic::Or,
                    _ => Logic::Xor,
                };
                (d, a, self.condition(b, r)?, logic)
            }
            _ => return Err(r.error("has a wrong number of operands")),
        };
        let Some(d) = self.predicate_result(d, r)? else { return Ok(Op::Nop) };
        Ok(Op::Logic { logic, d, a: self.condition(a, r)?, b })
    }

    fn lop3(&mut self, r: &mut Request<'_>) -> Result<Op, ParseError> {
        let ty = r.take_type()?;
        let [d, a, b, c, table] = r.exactly()?;
        let Operand::Integer(table @ 0..=255) = table else {
            return Err(r.error("needs a table from 0 to 255"));
        };
        let d = self.result(d, r)?.0;
        let (a, b, c) = (self.source(a, ty, r)?, self.source(b, ty, r)?, self.source(c, ty, r)?);
        Ok(Op::Lop3 { table: *table as u8, d, a, b, c })
    }

    fn bfi(&mut self, r: &mut Request<'_>) -> Result<Op, ParseError> {
        let ty = r.take_type()?;
        let [d, a, b, position, length] = r.exactly()?;
        Ok(Op::InsertBits {
            width: 8 * ty.size() as u8,
            d: self.result(d, r)?.0,
            a: self.source(a, ty, r)?,
            b: self.source(b, ty, r)?,
            position: self.source(position, Type::U32, r)?,
            length: self.source(length, Type::U32, r)?,
        })
    }

    fn carry(&mut self, name: &str, r: &mut Request<'_>) -> Result<Op, ParseError> {
        let ty = r.take_type()?;
        if !matches!(ty.size(), 4 | 8) || ty.float() {
            return Err(r.error("carries only with integers of 32 or 64 bits"));
        }
        let product = r.modifiers.take_any(&[("lo", Half::Low), ("hi", Half::High)]);
        let operation = Carry {
            product,
            subtract: name.starts_with("sub"),
            carry_in: name.ends_with('c'),
            carry_out: r.modifiers.take("cc"),
            width: 8 * ty.size() as u8,
            signed: ty.signed(),
        };
        let zero: Register = self.constant(0, r.line)?;
        let (d, a, b, c) = match (name, product, r.operands) {
            ("mad" | "madc", Some(_), [d, a, b, c]) => (d, a, b, self.source(c, ty, r)?),
            ("add" | "addc" | "sub" | "subc", None, [d, a, b]) => (d, a, b, zero),
            _ => return Err(r.error("has a wrong number of operands")),
        };
        let d = self.result(d, r)?.0;
        Ok(Op::Carry { operation, d, a: self.source(a, ty, r)?, b: self.source(b, ty, r)?, c })
    }
}

const LOGIC: [(&str, Logic); 3] = [("and", Logic::And), ("or", Logic::Or), ("xor", Logic::Xor)];
