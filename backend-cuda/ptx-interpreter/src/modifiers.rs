//! The parts of an opcode after its name: `.global.nc.v2.f32`.

use crate::ast::Type;
use crate::exact::Rounding;

/// Modifiers that nobody has taken yet; one that is left over was not understood, and the instruction is refused.
#[derive(Debug, Clone)]
pub struct Modifiers<'a> {
    rest: Vec<&'a str>,
}

impl<'a> Modifiers<'a> {
    /// Splits an opcode into its name and its modifiers.
    pub fn of(opcode: &'a str) -> (&'a str, Self) {
        let mut parts = opcode.split('.');
        let name = parts.next().unwrap_or_default();
        (name, Self { rest: parts.collect() })
    }

    /// Takes `name` if it is there.
    pub fn take(&mut self, name: &str) -> bool {
        let found = self.rest.iter().position(|m| *m == name);
        if let Some(index) = found {
            self.rest.remove(index);
        }
        found.is_some()
    }

    /// Takes the first of these names that is there.
    pub fn take_any<T: Copy>(&mut self, names: &[(&str, T)]) -> Option<T> {
        names.iter().find(|(name, _)| self.take(name)).map(|&(_, value)| value)
    }

    /// Takes the last type among them.
    pub fn take_type(&mut self) -> Option<Type> {
        let index = self.rest.iter().rposition(|m| Type::from_name(m).is_some())?;
        Type::from_name(self.rest.remove(index))
    }

    /// The last type among them, which stays.
    pub fn last_type(&self) -> Option<Type> {
        self.rest.iter().rev().find_map(|m| Type::from_name(m))
    }

    /// Takes a rounding of floats (`.rn`) or to integral values (`.rni`).
    pub fn take_rounding(&mut self) -> Option<Rounding> {
        self.take_any(&[
            ("rn", Rounding::Nearest),
            ("rna", Rounding::NearestAway),
            ("rz", Rounding::TowardZero),
            ("rm", Rounding::Down),
            ("rp", Rounding::Up),
            ("rni", Rounding::Nearest),
            ("rzi", Rounding::TowardZero),
            ("rmi", Rounding::Down),
            ("rpi", Rounding::Up),
        ])
    }

    /// What is left.
    pub fn rest(&self) -> &[&'a str] {
        &self.rest
    }
}
