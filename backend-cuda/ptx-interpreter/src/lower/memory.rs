//! Loads, stores, atomics and the conversion of addresses.

use super::{Lowering, Request};
use crate::alu::{self, Ternary};
use crate::ast::{Operand, Space, Type};
use crate::error::ParseError;
use crate::program::{Atomic, Op, Transfer};

impl Lowering<'_> {
    /// Lowers an instruction that touches memory; `false` if `name` is none.
    pub(super) fn memory(&mut self, name: &str, r: &mut Request<'_>) -> Result<bool, ParseError> {
        let op = match name {
            "ld" | "ldu" => self.transfer(r, true)?,
            "st" => self.transfer(r, false)?,
            "atom" => self.atomic(r, true)?,
            "red" if !r.opcode.contains(".sync") => self.atomic(r, false)?,
            "cvta" => self.cvta(r)?,
            // Caches are not modelled.
            "prefetch" | "prefetchu" | "discard" | "applypriority" => {
                take_space(r)?;
                r.modifiers.take_any(&[("L1", ()), ("L2", ())]);
                Op::Nop
            }
            // Blocks run one after the other and memory is sequentially consistent: fences have nothing to do.
            "membar" | "fence" => {
                for word in [
                    "gl", "cta", "sys", "gpu", "cluster", "sc", "acq_rel", "proxy", "async", "acquire",
                    "release",
                ] {
                    r.modifiers.take(word);
                }
                Op::Nop
            }
            _ => return Ok(false),
        };
        self.emit(op, r.guard, r.line)?;
        Ok(true)
    }

    fn transfer(&mut self, r: &mut Request<'_>, load: bool) -> Result<Op, ParseError> {
        let ty = r.take_type()?;
        let declared = take_space(r)?;
        let count = r.modifiers.take_any(&[("v2", 2), ("v4", 4)]).unwrap_or(1usize);
        let strong = take_order(r);
        take_cache_hints(r);
        let [first, second] = r.exactly()?;
        let (address, values) = if load { (second, first) } else { (first, second) };
        let at = self.address(address, r)?;
        let list = match values {
            Operand::Vector(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        if list.len() != count {
            return Err(r.error(&format!("moves {count} values, found {}", list.len())));
        }
        if ty == Type::Pred {
            return Err(r.error("cannot move predicates"));
        }
        let mut columns = [0; 4];
        let mut width = 64;
        for (column, operand) in columns.iter_mut().zip(list) {
            (*column, width) =
                if load { self.result(operand, r)? } else { (self.source(operand, ty, r)?, width) };
        }
        let space = match (declared, at.space) {
            // The parameters of a device function are its caller's variables.
            (Space::Param, Some(found)) => found,
            (Space::Param, None) => Space::Generic,
            (declared, _) => declared,
        };
        if !load && space == Space::Const {
            return Err(r.error("stores to constant memory"));
        }
        let offset = at.offset.wrapping_add(if declared == Space::Generic {
            at.space.map_or(0, Self::window) as i64
        } else {
            0
        });
        let transfer = Transfer {
            space,
            bytes: ty.size() as u8,
            count: count as u8,
            signed: ty.signed(),
            width,
            strong,
            base: at.base,
            offset,
            values: columns,
        };
        Ok(if load { Op::Load(transfer) } else { Op::Store(transfer) })
    }

    fn atomic(&mut self, r: &mut Request<'_>, result: bool) -> Result<Op, ParseError> {
        let ty = r.take_type()?;
        let space = take_space(r)?;
        take_order(r);
        take_cache_hints(r);
        r.modifiers.take("noftz");
        let (f, sources) = atomic_function(r, ty)?;
        let mut operands = r.operands.iter();
        let mut next = || operands.next().ok_or_else(|| r.error("has too few operands"));
        let d = if result { Some(next()?) } else { None };
        let address = next()?;
        let b = next()?;
        let c = if sources == 2 { next()? } else { b };
        if operands.next().is_some() {
            return Err(r.error("has too many operands"));
        }
        let d = match d {
            Some(Operand::Sink) | None => None,
            Some(d) => Some(self.result(d, r)?.0),
        };
        let at = self.address(address, r)?;
        let offset =
            at.offset + if space == Space::Generic { at.space.map_or(0, Self::window) as i64 } else { 0 };
        let (b, c) = (self.source(b, ty, r)?, self.source(c, ty, r)?);
        Ok(Op::Atomic(Box::new(Atomic { space, bytes: ty.size() as u8, f, d, base: at.base, offset, b, c })))
    }

    fn cvta(&mut self, r: &mut Request<'_>) -> Result<Op, ParseError> {
        let to = r.modifiers.take("to");
        let space = take_space(r)?;
        r.take_type()?;
        let [d, a] = r.exactly()?;
        let d = self.result(d, r)?.0;
        let a = self.source(a, Type::U64, r)?;
        let window = Self::window(space);
        if window == 0 {
            return Ok(Op::Move { d, a });
        }
        let f: alu::Binary = if to {
            |a, b| std::array::from_fn(|lane| a[lane].wrapping_sub(b[lane]))
        } else {
            |a, b| std::array::from_fn(|lane| a[lane].wrapping_add(b[lane]))
        };
        Ok(Op::Binary { f, d, a, b: self.constant(window, r.line)? })
    }
}

/// The state space among the modifiers; without one, the address is generic.
fn take_space(r: &mut Request<'_>) -> Result<Space, ParseError> {
    let names = [
        ("global", Space::Global),
        ("const", Space::Const),
        ("shared", Space::Shared),
        ("shared::cta", Space::Shared),
        ("local", Space::Local),
        ("param", Space::Param),
        ("param::entry", Space::Param),
        ("param::func", Space::Param),
    ];
    Ok(r.modifiers.take_any(&names).unwrap_or(Space::Generic))
}

/// Takes the memory order and scope; whether the access is more than a plain one.
fn take_order(r: &mut Request<'_>) -> bool {
    for scope in ["cta", "cluster", "gpu", "sys"] {
        r.modifiers.take(scope);
    }
    r.modifiers.take("weak");
    let orders = ["volatile", "relaxed", "acquire", "release", "acq_rel", "mmio"];
    orders.into_iter().filter(|order| r.modifiers.take(order)).count() > 0
}

/// Takes what advises caches.
fn take_cache_hints(r: &mut Request<'_>) {
    for hint in [
        "nc",
        "ca",
        "cg",
        "cs",
        "lu",
        "cv",
        "wb",
        "wt",
        "L1::no_allocate",
        "L1::evict_last",
        "L1::evict_first",
    ] {
        r.modifiers.take(hint);
    }
    for hint in ["L2::64B", "L2::128B", "L2::256B"] {
        r.modifiers.take(hint);
    }
}

/// The new value as a function of the old one and of one or two sources.
fn atomic_function(r: &mut Request<'_>, ty: Type) -> Result<(Ternary, usize), ParseError> {
    macro_rules! by_type {
        ($t:ty, $name:expr) => {
            match $name {
                "add" => columns!(|a: $t, b: $t, _c: $t| a.wrapping_add(b)),
                "min" => columns!(|a: $t, b: $t, _c: $t| a.min(b)),
                "max" => columns!(|a: $t, b: $t, _c: $t| a.max(b)),
                _ => return Err(r.error("is not an atomic operation that the interpreter has")),
            }
        };
    }
    use crate::column::columns;
    let name = ["add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec"]
        .into_iter()
        .find(|name| r.modifiers.take(name))
        .ok_or_else(|| r.error("is not an atomic operation that the interpreter has"))?;
    let f: Ternary = match (name, ty) {
        ("and", _) => columns!(|a: u64, b: u64, _c: u64| a & b),
        ("or", _) => columns!(|a: u64, b: u64, _c: u64| a | b),
        ("xor", _) => columns!(|a: u64, b: u64, _c: u64| a ^ b),
        ("exch", _) => columns!(|_a: u64, b: u64, _c: u64| b),
        ("cas", _) => return Ok((columns!(|a: u64, b: u64, c: u64| if a == b { c } else { a }), 2)),
        ("inc", Type::U32) => columns!(|a: u32, b: u32, _c: u32| if a >= b { 0 } else { a + 1 }),
        ("dec", Type::U32) => columns!(|a: u32, b: u32, _c: u32| if a == 0 || a > b { b } else { a - 1 }),
        ("add", Type::F32) => columns!(|a: f32, b: f32, _c: f32| a + b),
        ("add", Type::F64) => columns!(|a: f64, b: f64, _c: f64| a + b),
        ("add", Type::F16 | Type::F16x2 | Type::Bf16 | Type::Bf16x2) => alu::half_sum(ty),
        (_, Type::S32) => by_type!(i32, name),
        (_, Type::U32 | Type::B32) => by_type!(u32, name),
        (_, Type::S64) => by_type!(i64, name),
        (_, Type::U64 | Type::B64) => by_type!(u64, name),
        _ => return Err(r.error("is not an atomic operation that the interpreter has")),
    };
    Ok((f, 1))
}
