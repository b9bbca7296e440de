//! Chains of additions with a carry: integers of any length.

use super::warp::Warp;
use crate::column::{Column, Lanes, WARP};
use crate::program::{CARRY, Carry, Half, Register};

impl Warp {
    pub(super) fn carry(&mut self, operation: Carry, [d, a, b, c]: [Register; 4], on: Lanes) {
        let before = self.predicates[usize::from(CARRY)];
        let mut after: Lanes = 0;
        let mut value: Column = [0; WARP];
        for (lane, out) in value.iter_mut().enumerate() {
            let column = |register| self.column(register)[lane];
            let carry = operation.carry_in && before >> lane & 1 == 1;
            let (sum, overflow) = operation.apply(column(a), column(b), column(c), carry);
            *out = sum;
            after |= u32::from(overflow) << lane;
        }
        self.write(d, &value, on);
        if operation.carry_out {
            self.set(CARRY, after, on);
        }
    }
}

impl Carry {
    /// The result and the carry, or the borrow of a subtraction.
    fn apply(self, a: u64, b: u64, c: u64, carry: bool) -> (u64, bool) {
        let mask = u128::from(u64::MAX >> (64 - u32::from(self.width)));
        let wide = |value: u64| u128::from(value) & mask;
        let (a, b) = match self.product {
            Some(half) => {
                let extended = |value: u64| {
                    let unused = 128 - u32::from(self.width);
                    if self.signed {
                        ((wide(value) << unused) as i128 >> unused) as u128
                    } else {
                        wide(value)
                    }
                };
                let product = extended(a).wrapping_mul(extended(b));
                let part = if half == Half::Low { product } else { product >> self.width };
                (part & mask, wide(c))
            }
            None => (wide(a), wide(b)),
        };
        if self.subtract {
            let less = b + u128::from(carry);
            return ((a.wrapping_sub(less) & mask) as u64, a < less);
        }
        let sum = a + b + u128::from(carry);
        ((sum & mask) as u64, sum > mask)
    }
}
