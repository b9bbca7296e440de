//! Operands: every value becomes a column, also constants and special registers.

use super::scope::Binding;
use super::{Lowering, Request};
use crate::ast::{Operand, Space, Type};
use crate::error::ParseError;
use crate::memory::{LOCAL_WINDOW, PARAM_WINDOW};
use crate::program::{Condition, NEVER, Predicate, Register, Special};

/// An address: its space as far as the operand tells, its column and what is added.
pub(super) struct Address {
    pub(super) space: Option<Space>,
    pub(super) base: Register,
    pub(super) offset: i64,
}

impl Lowering<'_> {
    pub(super) fn predicate(&mut self, name: &str, line: u32) -> Result<Predicate, ParseError> {
        match self.resolve(name, line)? {
            Binding::Predicate(number) => Ok(number),
            _ => Err(ParseError::new(line, format!("`{name}` is not a predicate register"))),
        }
    }

    /// A predicate register that receives a result; `None` for `_`.
    pub(super) fn predicate_result(
        &mut self,
        operand: &Operand,
        r: &Request<'_>,
    ) -> Result<Option<Predicate>, ParseError> {
        match operand {
            Operand::Sink => Ok(None),
            Operand::Name(name) => self.predicate(name, r.line).map(Some),
            _ => Err(r.error("needs a predicate register for its result")),
        }
    }

    /// A predicate that is read, perhaps negated or constant.
    pub(super) fn condition(&mut self, operand: &Operand, r: &Request<'_>) -> Result<Condition, ParseError> {
        let (name, negated) = match operand {
            Operand::Name(name) => (name, false),
            Operand::Not(name) => (name, true),
            Operand::Integer(value) => return Ok(Condition { predicate: NEVER, negated: *value != 0 }),
            _ => return Err(r.error("needs a predicate")),
        };
        Ok(Condition { predicate: self.predicate(name, r.line)?, negated })
    }

    /// A register that receives a result, with the bits of its type.
    pub(super) fn result(
        &mut self,
        operand: &Operand,
        r: &Request<'_>,
    ) -> Result<(Register, u8), ParseError> {
        match operand {
            Operand::Sink => Ok((self.new_column(r.line)?, 64)),
            Operand::Name(name) => match self.resolve(name, r.line)? {
                Binding::Register(register, width) => Ok((register, width)),
                _ => Err(r.error(&format!("needs a register for its result, found `{name}`"))),
            },
            _ => Err(r.error("needs a register for its result")),
        }
    }

    /// A column that holds `operand` as a value of type `ty`.
    pub(super) fn source(
        &mut self,
        operand: &Operand,
        ty: Type,
        r: &Request<'_>,
    ) -> Result<Register, ParseError> {
        match operand {
            Operand::Name(name) if name.starts_with('%') && self.special(name, r.line)?.is_some() => {
                self.special(name, r.line)?.ok_or_else(|| r.error("names an unknown special register"))
            }
            Operand::Name(name) if name == "WARP_SZ" => self.constant(32, r.line),
            Operand::Name(name) => match self.resolve(name, r.line)? {
                Binding::Register(register, _) => Ok(register),
                binding => self.address_of(&binding, 0, r),
            },
            Operand::Offset(name, offset) => {
                let binding = self.resolve(name, r.line)?;
                self.address_of(&binding, *offset, r)
            }
            Operand::Integer(value) => {
                let bits = 8 * ty.size() as u32;
                self.constant(if bits >= 64 { *value } else { value & ((1 << bits) - 1) }, r.line)
            }
            Operand::Single(bits) if ty == Type::F64 => {
                self.constant(f64::from(f32::from_bits(*bits)).to_bits(), r.line)
            }
            Operand::Single(bits) => self.constant(u64::from(*bits), r.line),
            Operand::Double(bits) if matches!(ty, Type::F32) => {
                self.constant(u64::from((f64::from_bits(*bits) as f32).to_bits()), r.line)
            }
            Operand::Double(bits) => self.constant(*bits, r.line),
            _ => Err(r.error("has an operand that is not a value")),
        }
    }

    /// The address of a variable as `mov` gives it.
    fn address_of(
        &mut self,
        binding: &Binding,
        offset: i64,
        r: &Request<'_>,
    ) -> Result<Register, ParseError> {
        match *binding {
            // A parameter's address is used through `ld.param [%rd1]`, also after arithmetic: make it a generic one.
            Binding::Variable { space: Space::Param, address, .. } => {
                self.constant((PARAM_WINDOW + address).wrapping_add_signed(offset), r.line)
            }
            Binding::Variable { address, .. } => self.constant(address.wrapping_add_signed(offset), r.line),
            Binding::DynamicShared if offset == 0 => self.special_column(Special::DynamicShared, r.line),
            Binding::DynamicShared => {
                Err(r.error("adds to the address of dynamic shared memory: do it in a register"))
            }
            _ => Err(r.error("takes the address of what has none (a function, a label or a predicate)")),
        }
    }

    pub(super) fn constant(&mut self, value: u64, line: u32) -> Result<Register, ParseError> {
        if let Some(&register) = self.constants.get(&value) {
            return Ok(register);
        }
        let register = self.new_column(line)?;
        self.constants.insert(value, register);
        Ok(register)
    }

    fn special_column(&mut self, special: Special, line: u32) -> Result<Register, ParseError> {
        if let Some(&register) = self.specials.get(&special) {
            return Ok(register);
        }
        let register = self.new_column(line)?;
        self.specials.insert(special, register);
        Ok(register)
    }

    /// The column of a special register; `None` if the name is not one.
    fn special(&mut self, name: &str, line: u32) -> Result<Option<Register>, ParseError> {
        let dimension = match name.rsplit_once('.') {
            Some((_, "x")) => 0,
            Some((_, "y")) => 1,
            Some((_, "z")) => 2,
            _ => 3,
        };
        let special = match name.split('.').next().unwrap_or(name) {
            "%tid" if dimension < 3 => Special::Tid(dimension),
            "%ntid" if dimension < 3 => Special::Ntid(dimension),
            "%ctaid" if dimension < 3 => Special::Ctaid(dimension),
            "%nctaid" if dimension < 3 => Special::Nctaid(dimension),
            "%laneid" => Special::LaneId,
            "%warpid" => Special::WarpId,
            "%nwarpid" => Special::WarpCount,
            "%lanemask_eq" => Special::LaneMaskEq,
            "%lanemask_le" => Special::LaneMaskLe,
            "%lanemask_lt" => Special::LaneMaskLt,
            "%lanemask_ge" => Special::LaneMaskGe,
            "%lanemask_gt" => Special::LaneMaskGt,
            "%smid" | "%gridid" => Special::Zero,
            "%dynamic_smem_size" => Special::DynamicSharedSize,
            "%total_smem_size" => Special::TotalSharedSize,
            _ => return Ok(None),
        };
        self.special_column(special, line).map(Some)
    }

    /// `[base+offset]`.
    pub(super) fn address(&mut self, operand: &Operand, r: &Request<'_>) -> Result<Address, ParseError> {
        let Operand::Address(base, offset) = operand else {
            return Err(r.error("needs an address such as [%rd1+4]"));
        };
        let Some(name) = base else {
            return Ok(Address { space: None, base: self.constant(0, r.line)?, offset: *offset });
        };
        Ok(match self.resolve(name, r.line)? {
            Binding::Register(base, _) => Address { space: None, base, offset: *offset },
            Binding::Variable { space, address, .. } => {
                Address { space: Some(space), base: self.constant(address, r.line)?, offset: *offset }
            }
            Binding::DynamicShared => Address {
                space: Some(Space::Shared),
                base: self.special_column(Special::DynamicShared, r.line)?,
                offset: *offset,
            },
            _ => return Err(r.error(&format!("uses `{name}` as an address"))),
        })
    }

    /// What has to be added to an address in `space` to make it generic.
    pub(super) fn window(space: Space) -> u64 {
        match space {
            Space::Shared => crate::memory::SHARED_WINDOW,
            Space::Local => LOCAL_WINDOW,
            // Addresses of parameters and of global and constant memory are generic already.
            _ => 0,
        }
    }
}
