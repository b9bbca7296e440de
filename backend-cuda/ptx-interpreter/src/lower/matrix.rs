//! `mma.sync`.

use super::{Lowering, Request};
use crate::ast::{Operand, Type};
use crate::error::ParseError;
use crate::program::{Element, Multiply, Op, Register};

impl Lowering<'_> {
    /// `mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32` and `m16n8k16` of `bf16`.
    pub(super) fn multiply(&mut self, r: &mut Request<'_>) -> Result<Op, ParseError> {
        let whole = ["sync", "aligned", "row", "col"].iter().all(|name| r.modifiers.take(name));
        let shape = r.modifiers.take_any(&[("m16n8k8", 8), ("m16n8k16", 16)]);
        let (c, b, a, d) = (r.take_type()?, r.take_type()?, r.take_type()?, r.take_type()?);
        let element = match (shape, a) {
            (Some(8), Type::Tf32) => Element::Tf32,
            (Some(16), Type::Bf16) => Element::Bf16,
            _ => return Err(r.error("is not a product of matrices that the interpreter has")),
        };
        if !whole || a != b || (c, d) != (Type::F32, Type::F32) {
            return Err(r.error("is not a product of matrices that the interpreter has"));
        }
        let [d, a, b, c] = r.exactly()?;
        Ok(Op::Multiply(Box::new(Multiply {
            element,
            d: registers(d, r, |operand| Ok(self.result(operand, r)?.0))?,
            a: registers(a, r, |operand| self.source(operand, Type::B32, r))?,
            b: registers(b, r, |operand| self.source(operand, Type::B32, r))?,
            c: registers(c, r, |operand| self.source(operand, Type::B32, r))?,
        })))
    }
}

fn registers<const N: usize>(
    operand: &Operand,
    r: &Request<'_>,
    mut register: impl FnMut(&Operand) -> Result<Register, ParseError>,
) -> Result<[Register; N], ParseError> {
    let mut out = [0; N];
    match operand {
        Operand::Vector(parts) if parts.len() == N => {
            for (out, part) in out.iter_mut().zip(parts) {
                *out = register(part)?;
            }
            Ok(out)
        }
        _ => Err(r.error(&format!("takes {N} registers in braces for a matrix"))),
    }
}
